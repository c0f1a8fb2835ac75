-- Readiness: per binding, how its calls would fare if the policy were enforced, and how much was seen of them.
-- parameters: since, until, environment
-- reads: hops, grants, spans, identities
-- why: what was sampled is known only with a margin. share_at_least is the lower end of Wilson's interval (95 %, one
-- side); where every call was recorded (sampling 1) it is the share itself.
-- source: OpenTelemetry probability sampling (tracestate `ot=th`: a rejection threshold of 56 bits)
with made as (
    select *, make_timestamp_ns(start_time_unix_nano::bigint)::date as day
    from hops
    where
        start_time_unix_nano >= $since
        and start_time_unix_nano < $until
        and in_environment($environment, caller_env, callee_env)
        and kind = 'call'
        and caller is not null
),
thresholds as (
    -- a chain is as rarely recorded as its most rarely sampled service
    select
        n.service,
        max(regexp_extract(s.trace_state, 'ot=[^,]*th:([0-9a-f]{1,14})', 1)) as threshold
    from spans as s
    join identities as n using (resource_id)
    where
        s.start_time_unix_nano >= $since
        and s.start_time_unix_nano < $until
        and n.service is not null
    group by n.service
),
sampled as (
    select
        service,
        case
            when threshold <> '' then 1 - ('0x' || rpad(threshold, 14, '0'))::ubigint / 72057594037927936.0
        end as sampling
    from thresholds
),
calls as (
    select
        scope,
        caller,
        callee,
        callee_env as environment,
        any_value(binding) as binding,
        count(*) as calls,
        count(*) filter (verdict = 'allowed') as passes,
        count(*) filter (verdict = 'denied') as refused,
        count(distinct day) as days,
        min(start_time_unix_nano)::varchar as first_seen,
        max(start_time_unix_nano)::varchar as last_seen,
        trace_hex(arg_max(trace_id, start_time_unix_nano) filter (verdict <> 'allowed')) as example_trace_id
    from made
    group by scope, caller, callee, callee_env
),
why as (
    select scope, caller, callee, environment, map_from_entries(list((reason, calls) order by calls desc)) as reasons
    from (
        select scope, caller, callee, callee_env as environment, reason, count(*) as calls
        from made
        where verdict <> 'allowed'
        group by all
    )
    group by scope, caller, callee, environment
),
granted as (
    select distinct on (caller, callee) nullif(scope, '') as scope, caller, callee, environment, binding, file, line
    from grants
    where action = 'allow' and kind = 'call' and caller <> '*' and callee <> '*'
    order by caller, callee, file, line
)
select
    coalesce(c.scope, g.scope) as scope,
    coalesce(c.caller, g.caller) as caller,
    coalesce(c.callee, g.callee) as callee,
    coalesce(c.environment, g.environment) as environment,
    coalesce(c.binding, g.binding) as binding,
    coalesce(c.calls, 0) as calls,
    coalesce(c.passes, 0) as passes,
    coalesce(c.refused, 0) as refused,
    round(c.passes / c.calls, 6) as share,
    case
        when c.calls is null then null
        when least(a.sampling, b.sampling) = 1 then round(c.passes / c.calls, 6)
        -- of no pass it is 0, which doubles miss by a hair
        else greatest(0, round(
            (
                c.passes / c.calls + 1.3528 / c.calls
                - 1.6449 * sqrt((c.passes / c.calls) * (1 - c.passes / c.calls) / c.calls + 0.67638 / (c.calls * c.calls))
            ) / (1 + 2.7055 / c.calls),
            6
        ))
    end as share_at_least,
    coalesce(why.reasons, map {}) as reasons,
    coalesce(c.days, 0) as days,
    case when a.sampling is not null and b.sampling is not null then least(a.sampling, b.sampling) end as sampling,
    c.first_seen,
    c.last_seen,
    c.example_trace_id,
    g.file,
    g.line
from calls as c
full join granted as g on g.caller = c.caller and g.callee = c.callee
left join why
    on why.caller = c.caller
    and why.callee = c.callee
    and why.scope is not distinct from c.scope
    and why.environment is not distinct from c.environment
left join sampled as a on a.service = c.caller
left join sampled as b on b.service = c.callee
order by refused desc, calls desc, caller, callee
