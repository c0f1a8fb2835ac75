-- Flagged calls: every call that breaks a rule, once for each rule.
-- reads: hops, flagged (what the rules find)
select
    h.start_time_unix_nano as moment,
    h.duration_nano,
    1 as weight,
    found.rule,
    found.severity,
    coalesce(h.caller, '(external)') as caller,
    coalesce(h.callee, '') as callee,
    coalesce(h.callee_env, h.caller_env, '') as environment
from (select * from flagged) as found
join hops as h using (trace_id, anchor_span_id, answered)
