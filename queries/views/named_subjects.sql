-- Named subjects: what one rule found that names subjects itself, from the window or from the manifests alone.
-- parameters: severity
-- reads: hops
-- why: what a rule does not say of a subject is null here; the declaration itself is verified.
with subjects as (
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
    scope,
    caller,
    caller_env,
    callee,
    callee_env,
    coalesce(severity, $severity) as severity,
    coalesce(grade, 'verified') as grade,
    confidence,
    coalesce("count", 1) as "count",
    first_seen::varchar as first_seen,
    last_seen::varchar as last_seen,
    trace_id,
    span_ids,
    evidence,
    file,
    line
from subjects
