-- Unauthorized call: the callee's guard knew the caller and found no grant for the call.
-- severity: medium
-- category: authorization
-- status: preview, since 0.1
-- reads: hops, grant_revisions, manifests
-- parameters: now
-- concerns: verdict = 'denied' and verified_caller is not null
-- message: {caller} called {callee} without a grant ({reason}), and {outcome}{pending}.
-- why: the caller is who it says, and may not; a guard that only observes lets it through all the same.
-- fix: declare a binding from {caller} to {callee} for this route and environment, or remove the call.
-- check: bindtrace hops --caller {caller} --callee {callee} --verdict denied --since 10m
-- may be wrong when: a deploy is under way, and the guard's policy is older than the binding: pending for five minutes.
-- source: findings.md F01
with refused as (
    select *
    from hops
    where
        verdict = 'denied'
        and verified_caller is not null
        -- a receiver's reasons of the class grant
        and reason in (
            'callee_mismatch', 'environment_mismatch', 'deployment_mismatch', 'binding_unknown', 'binding_inactive',
            'binding_epoch_stale', 'caller_not_bound', 'route_not_allowed'
        )
),
deploying as (
    -- granted when it was made, and not yet two refreshes (60 s) before: the guard may not have heard of it
    select r.trace_id, r.anchor_span_id, r.answered
    from refused as r
    where
        r.grant_line is not null
        -- of another callee or environment a token is whatever the policy says
        and r.reason not in ('callee_mismatch', 'environment_mismatch')
        and not exists (
            from grant_revisions as g
            join manifests as m using (revision)
            where
                g.caller in (r.caller, '*')
                and g.callee in (r.callee, '*')
                and g.action = 'allow'
                and r.start_time_unix_nano >= m.in_force_from_unix_nano + 120000000000::ubigint
                and r.start_time_unix_nano
                    < coalesce(m.in_force_until_unix_nano, 18446624073709551615::ubigint) + 120000000000::ubigint
        )
),
heard_of as (
    -- the guard lets the same call pass since
    select d.trace_id, d.anchor_span_id, d.answered
    from deploying as d
    join refused as r using (trace_id, anchor_span_id, answered)
    semi join (select * from hops where verdict = 'allowed' and verified_caller is not null) as later
        on later.caller = r.caller
        and later.callee = r.callee
        and later.callee_env is not distinct from r.callee_env
        and later.start_time_unix_nano > r.start_time_unix_nano
)
select
    h.trace_id,
    h.anchor_span_id,
    h.answered,
    case when pending then 'info' when h.outcome = 'passed' then 'high' end as severity,
    h.grant_file as file,
    h.grant_line as line,
    json_object(
        'reason', h.reason,
        'outcome', case h.outcome
            when 'passed' then 'the guard let it pass'
            when 'refused' then 'was refused'
            else 'nothing says whether it passed'
        end,
        'pending', case
            when pending then '; pending, as it is granted since less than two minutes before' else ''
        end
    ) as evidence
from (
    select
        r.*,
        d.trace_id is not null and r.start_time_unix_nano + 300000000000::ubigint > $now as pending
    from refused as r
    left join deploying as d using (trace_id, anchor_span_id, answered)
    anti join heard_of using (trace_id, anchor_span_id, answered)
) as h
