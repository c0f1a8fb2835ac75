-- Subject findings: what one rule found that names subjects itself, from the window or from the manifests alone.
-- parameters: rule, severity, since, until, environment, now, quiet
-- reads: hops, exceptions
-- why: what a rule does not say of a subject is null here; the declaration itself is verified.
with hops as not materialized (
    select * from every_hop
    where
        start_time_unix_nano >= $since
        and start_time_unix_nano < $until
        and in_environment($environment, caller_env, callee_env)
        and ($quiet = 0 or start_time_unix_nano + greatest(duration_nano, chain_duration_nano) + $quiet <= $now)
),
subjects as (
    select
        null::varchar as scope,
        null::varchar as caller,
        null::varchar as caller_env,
        null::varchar as callee,
        null::varchar as callee_env,
        null::varchar as severity,
        null::varchar as grade,
        null::varchar as confidence,
        null::bigint as "count",
        null::ubigint as first_seen,
        null::ubigint as last_seen,
        null::varchar as trace_id,
        null::varchar[] as span_ids,
        null::varchar as evidence,
        null::varchar as file,
        null::uinteger as line
    where false
    union all by name
    select rule_rows.* from rule_rows
)
select
    s.scope,
    s.caller,
    s.caller_env,
    s.callee,
    s.callee_env,
    coalesce(s.severity, $severity) as severity,
    coalesce(s.grade, 'verified') as grade,
    s.confidence,
    coalesce(s."count", 1) as "count",
    s.first_seen::varchar as first_seen,
    s.last_seen::varchar as last_seen,
    s.trace_id,
    s.span_ids,
    s.evidence,
    s.file,
    s.line,
    max(x.until_unix_nano)::varchar as silenced_until
from subjects as s
left join exceptions as x
    on x.rule = $rule
    and x.until_unix_nano > $now
    and (x.caller is null or x.caller = s.caller)
    and (x.callee is null or x.callee = s.callee)
group by all
