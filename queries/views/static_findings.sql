-- Static findings: what one rule found in the manifests alone.
-- parameters: rule, severity, now
-- reads: exceptions
select
    null::varchar as scope,
    rule_rows.caller,
    null::varchar as caller_env,
    rule_rows.callee,
    null::varchar as callee_env,
    coalesce(rule_rows.severity::varchar, $severity) as severity,
    'verified' as grade,
    null::varchar as confidence,
    1 as "count",
    null::varchar as first_seen,
    null::varchar as last_seen,
    null::varchar as trace_id,
    null::varchar[] as span_ids,
    rule_rows.evidence,
    rule_rows.file,
    rule_rows.line,
    max(x.until_unix_nano)::varchar as silenced_until
from rule_rows
left join exceptions as x
    on x.rule = $rule
    and x.until_unix_nano > $now
    and (x.caller is null or x.caller = rule_rows.caller)
    and (x.callee is null or x.callee = rule_rows.callee)
group by all
