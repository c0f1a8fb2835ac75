-- Unauthorized call: the callee's guard knew the caller and found no grant for the call.
-- severity: medium
-- category: authorization
-- status: preview, since 0.1
-- reads: hops
-- concerns: verdict = 'denied' and verified_caller is not null
-- message: {caller} called {callee} without a grant ({reason}), and {outcome}.
-- why: the caller is who it says, and may not; a guard that only observes lets it through all the same.
-- fix: declare a binding from {caller} to {callee} for this route and environment, or remove the call.
-- check: bindtrace hops --caller {caller} --callee {callee} --verdict denied --since 10m
-- may be wrong when: a deploy is under way, and the guard's policy is older than the binding.
-- source: findings.md F01
select
    h.trace_id,
    h.anchor_span_id,
    h.answered,
    case when h.outcome = 'passed' then 'high' end as severity,
    h.grant_file as file,
    h.grant_line as line,
    json_object(
        'reason', h.reason,
        'outcome', case h.outcome
            when 'passed' then 'the guard let it pass'
            when 'refused' then 'was refused'
            else 'nothing says whether it passed'
        end
    ) as evidence
from hops as h
where
    h.verdict = 'denied'
    and h.verified_caller is not null
    -- a receiver's reasons of the class grant
    and h.reason in (
        'callee_mismatch', 'environment_mismatch', 'deployment_mismatch', 'binding_unknown', 'binding_inactive',
        'binding_epoch_stale', 'caller_not_bound', 'route_not_allowed'
    )
