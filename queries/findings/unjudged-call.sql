-- Unjudged call: a guard could not judge calls, for a reason of its own.
-- severity: medium
-- category: identity
-- status: preview, since 0.1
-- reads: hops
-- concerns: reason in ('internal_error', 'pop_cache_saturated', 'bundle_unavailable', 'bundle_stale', 'policy_unavailable')
-- message: the guard of {callee} could not judge {calls} ({reasons}), which {outcome}.
-- why: callers that may call are turned away, and nobody learns who called.
-- fix: {instead}.
-- remedy: read the log of the guard (event=guard_fault, event=refresh_failed), and see that it reaches its authority.
-- check: bindtrace hops --callee {callee} --verdict denied --since 10m
-- may be wrong when: the service had just been started.
with unjudged as (
    select *
    from hops
    where
        reason in ('internal_error', 'pop_cache_saturated', 'bundle_unavailable', 'bundle_stale', 'policy_unavailable')
        -- what was let pass for it has a rule of its own
        and not list_contains(marks, 'failed-open')
),
told as (
    select
        callee,
        callee_env,
        count(*) as calls,
        list(distinct reason order by reason) as reasons,
        bool_or(outcome = 'refused') as refused
    from unjudged
    group by callee, callee_env
)
select
    u.trace_id,
    u.anchor_span_id,
    u.answered,
    null as severity,
    null::varchar as file,
    null::uinteger as line,
    json_object(
        'calls', format('{} call{}', t.calls, case when t.calls = 1 then '' else 's' end),
        'reasons', array_to_string(t.reasons, ', '),
        'outcome', case when t.refused then 'it refused' else 'passed, as it only observes' end,
        'instead', case
            when list_contains(t.reasons, 'internal_error') then format('read the log of {} (event=guard_fault) and report it', u.callee)
            when list_contains(t.reasons, 'pop_cache_saturated')
            then 'look who sends so many proofs, or use mTLS, where nothing is to be remembered'
            else format('look whether {} reaches its authority (event=refresh_failed in its log)', u.callee)
        end
    ) as evidence
from unjudged as u
join told as t on t.callee = u.callee and t.callee_env is not distinct from u.callee_env
