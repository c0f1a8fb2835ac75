-- Unauthorized call: the callee's guard knew the caller and found no grant for the call.
-- severity: medium
-- category: authorization
-- status: preview, since 0.1
-- reads: hops, grant_revisions, manifests
-- parameters: now
-- concerns: verdict = 'denied' and verified_caller is not null
-- message: {caller} called {callee} without a grant ({reason}), and {outcome}{pending}.
-- why: the caller is who it says it is, but may not make this call; a guard that only observes lets it through.
-- fix: {instead}.
-- remedy: declare a binding from the caller to the callee where the call is meant, or remove the call.
-- check: bindtrace hops --caller {caller} --callee {callee} --verdict denied --since 10m
-- may be wrong when: a deploy is under way, and the guard's policy is older than the binding: pending for five minutes.
with fixes (reason, instead) as (
    -- a receiver's reasons of the class grant: {0} the caller, {1} the callee, {2} the request
    values
        (
            'callee_mismatch',
            'let {0} send the token that it holds for {1} (what came is for another callee: look at the address of its target, '
            'and at proxies that send requests on), and declare a binding from {0} to {1} where there is none'
        ),
        (
            'environment_mismatch',
            'let {0} call the {1} of its own environment (its token is for another), or declare a binding for this one'
        ),
        (
            'deployment_mismatch',
            'end the deployment of {0} that is no longer live, or that the binding does not pin to this one of {1}'
        ),
        (
            'binding_unknown',
            'declare a binding from {0} to {1} and register it with the authority, or remove the call'
        ),
        ('binding_inactive', 'make the binding from {0} to {1} active again, or remove the call'),
        (
            'binding_epoch_stale',
            'let {0} renew its token: all tokens of the binding were taken back since; if they were for a reason, remove the call'
        ),
        (
            'caller_not_bound',
            'declare a binding from {0} to {1}, or remove the call: the binding of its token is another caller''s'
        ),
        ('route_not_allowed', 'add {2} to the routes of the binding from {0} to {1}, or remove the call')
),
refused as (
    select h.*, f.instead
    from hops as h
    join fixes as f using (reason)
    where h.verdict = 'denied' and h.verified_caller is not null
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
        end,
        'instead', format(
            h.instead, coalesce(h.caller, h.verified_caller), h.callee,
            trim(concat_ws(' ', h.http_method, coalesce(h.url_path, 'this route')))
        )
    ) as evidence
from (
    select
        r.*,
        d.trace_id is not null and r.start_time_unix_nano + 300000000000::ubigint > $now as pending
    from refused as r
    left join deploying as d using (trace_id, anchor_span_id, answered)
    anti join heard_of using (trace_id, anchor_span_id, answered)
) as h
