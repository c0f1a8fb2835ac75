-- Hop subjects: the hops that one rule named, by who called whom; the latest is the example.
-- parameters: severity
-- reads: hops
-- why: rules say which hops are at fault; subject, counts and example are the same for all of them.
with found as (
    select
        h.scope,
        h.caller,
        h.caller_env,
        h.callee,
        h.callee_env,
        h.grade,
        h.confidence,
        h.start_time_unix_nano,
        h.trace_id,
        h.evidence,
        coalesce(rule_rows.severity::varchar, $severity) as severity,
        rule_rows.file,
        rule_rows.line,
        rule_rows.evidence as shown
    from rule_rows
    join every_hop as h using (trace_id, anchor_span_id, answered)
)
select
    scope,
    caller,
    caller_env,
    callee,
    callee_env,
    worst_of(['critical', 'high', 'medium', 'low', 'info'], severity) as severity,
    worst_of(['proven', 'contradicted', 'verified', 'claimed', 'inferred'], grade) as grade,
    worst_of(['confirmed', 'probable', 'suspected'], confidence) as confidence,
    count(*) as "count",
    min(start_time_unix_nano)::varchar as first_seen,
    max(start_time_unix_nano)::varchar as last_seen,
    trace_hex(arg_max(trace_id, start_time_unix_nano)) as trace_id,
    list_transform(arg_max(evidence, start_time_unix_nano), lambda span: span_hex(span)) as span_ids,
    arg_max(shown, start_time_unix_nano) as evidence,
    arg_max(file, start_time_unix_nano) as file,
    arg_max(line, start_time_unix_nano) as line
from found
group by scope, caller, caller_env, callee, callee_env
