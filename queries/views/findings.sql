-- Findings: what one rule found in the window, one row per subject, and until when each is silenced.
-- parameters: rule, severity, since, until, environment, now, quiet
-- reads: hops, exceptions
-- why: the window and the exceptions are the same for all rules; `subject_rows` is put in here: hop_subjects.sql, or
--      named_subjects.sql of a rule that names subjects itself, with the rule's own text in it.
-- The rule reads `hops` as this window of them. One that concludes from what is not there waits until late spans of a call
-- would have come.
with hops as not materialized (
    select * from every_hop
    where
        start_time_unix_nano >= $since
        and start_time_unix_nano < $until
        and in_environment($environment, caller_env, callee_env)
        and ($quiet = 0 or start_time_unix_nano + greatest(duration_nano, chain_duration_nano) + $quiet <= $now)
)
select
    subject_rows.*,
    max(x.until_unix_nano)::varchar as silenced_until
from subject_rows
left join exceptions as x
    on x.rule = $rule
    and x.until_unix_nano > $now
    and (x.caller is null or x.caller = subject_rows.caller)
    and (x.callee is null or x.callee = subject_rows.callee)
group by all
