-- Unauthenticated call: one of our services called a guarded one without a credential.
-- severity: medium
-- category: identity
-- status: preview, since 0.1
-- reads: hops
-- concerns: reason = 'credential_missing' and caller is not null
-- message: {caller} called {callee}, which has a guard, without a credential, and {outcome}.
-- why: while callers come without credentials, the guard cannot be switched to enforce, and cannot tell them from anybody else.
-- fix: give {caller} an identity and the caller's side of the guard (bindtrace run, or its transport).
-- check: bindtrace hops --caller {caller} --callee {callee} --verdict denied --since 10m
-- may be wrong when: the caller is a health check; declare its path as exempt at the guard.
select
    h.trace_id,
    h.anchor_span_id,
    h.answered,
    -- refused is what enforcing means: the caller is broken, or not ours
    case when h.outcome = 'refused' then 'high' end as severity,
    null::varchar as file,
    null::uinteger as line,
    json_object(
        'outcome', case h.outcome
            when 'passed' then 'the guard only observed'
            when 'refused' then 'was refused'
            else 'nothing says whether it passed'
        end
    ) as evidence
from hops as h
where
    h.reason = 'credential_missing'
    and h.caller is not null
    and not list_has_any(h.marks, ['caller-outside', 'probe', 'claim-from-outside'])
