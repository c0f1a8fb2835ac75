-- Stale deployment: a deployment that was replaced or taken back still calls, or is still called.
-- severity: medium
-- category: identity
-- status: preview, since 0.1
-- reads: hops, believed_deployment_states
-- concerns: coalesce(caller_deployment, callee_deployment) is not null and (select count(*) from believed_deployment_states) > 0
-- message: deployment {deployment} of {who} is {state} since {since}, and {does} up to {last}.
-- why: old code with old rights is at work, and nobody expects it; what is fixed in the new one is not fixed there.
-- fix: {instead}.
-- remedy: stop the old deployment, or let what leads to it (an alias, a pin, an address) lead to the new one.
-- check: bindtrace findings --rule stale-deployment --since 10m
-- may be wrong when: two deployments are meant to run side by side; register the older one again.
with latest as (
    select
        service,
        environment,
        deployment,
        arg_max(state, (since_unix_nano, load_id)) as state,
        max(since_unix_nano) as since_unix_nano
    from believed_deployment_states
    group by service, environment, deployment
),
retired as (
    select *, since_unix_nano + 900000000000::ubigint as until_unix_nano from latest where state <> 'active'
),
stale as (
    select h.trace_id, h.anchor_span_id, h.answered, h.start_time_unix_nano, true as calls, r.*
    from hops as h
    join retired as r
        on r.service = h.caller
        and r.deployment = h.caller_deployment
        and coalesce(r.environment = h.caller_env, true)
        -- by the start of the call: what drains may end later
        and h.start_time_unix_nano > r.until_unix_nano
    union all by name
    select h.trace_id, h.anchor_span_id, h.answered, h.start_time_unix_nano, false as calls, r.*
    from hops as h
    join retired as r
        on r.service = h.callee
        and r.deployment = h.callee_deployment
        and coalesce(r.environment = h.callee_env, true)
        and h.start_time_unix_nano > r.until_unix_nano
)
select distinct on (trace_id, anchor_span_id, answered)
    trace_id,
    anchor_span_id,
    answered,
    null as severity,
    null::varchar as file,
    null::uinteger as line,
    json_object(
        'deployment', deployment,
        'who', service,
        'state', case state when 'ended' then 'taken back' else 'replaced' end,
        'since', strftime(make_timestamp_ns(since_unix_nano::bigint), '%Y-%m-%d %H:%M:%S UTC'),
        'does', case when calls then 'calls' else 'is called' end,
        'last', strftime(
            make_timestamp_ns((max(start_time_unix_nano) over (partition by service, environment, deployment, calls))::bigint),
            '%Y-%m-%d %H:%M:%S UTC'
        ),
        'instead', case
            when calls then format('stop deployment {} of {}, and take it back: bindtrace authority deny --deployment', deployment, service)
            else format('let what leads to deployment {} of {} (an alias, a pin, an address) lead to the new one', deployment, service)
        end
    ) as evidence
from stale
order by trace_id, anchor_span_id, answered, calls desc
