-- Fail-open used: a guard could not judge calls, and was set to let them pass.
-- severity: high
-- category: identity
-- status: preview, since 0.1
-- reads: hops
-- concerns: list_contains(marks, 'failed-open')
-- message: the guard of {callee} let {calls} pass unjudged ({reason}) from {since} to {until}.
-- why: while it failed open, anybody was served as if the call were allowed.
-- fix: bring back what was missing ({missing}), and set fail_open_until_s of the receiver to 0.
-- remedy: bring back what the guard was missing, and set fail_open_until_s of the receiver to 0.
-- check: bindtrace findings --rule fail-open-used --callee {callee} --since 10m
-- may be wrong when: it was a planned exercise; accept it in [[exceptions]] until its end.
with opened as (
    select
        *,
        count(*) over of_callee as calls,
        min(start_time_unix_nano) over of_callee as since_unix_nano,
        max(start_time_unix_nano) over of_callee as until_unix_nano
    from hops
    where list_contains(marks, 'failed-open') and outcome <> 'refused'
    window of_callee as (partition by callee, callee_env, reason)
)
select
    trace_id,
    anchor_span_id,
    answered,
    null as severity,
    null::varchar as file,
    null::uinteger as line,
    json_object(
        'calls', format('{} call{}', calls, case when calls = 1 then '' else 's' end),
        'reason', reason,
        'since', strftime(make_timestamp_ns(since_unix_nano::bigint), '%Y-%m-%d %H:%M:%S UTC'),
        'until', strftime(make_timestamp_ns(until_unix_nano::bigint), '%H:%M:%S UTC'),
        'missing', case reason
            when 'policy_unavailable' then 'the policy of the authority'
            else 'the trust bundle of the authority'
        end
    ) as evidence
from opened
