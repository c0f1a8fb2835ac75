-- Caller mismatch: who the request says is calling is not who called.
-- severity: high
-- category: identity
-- status: stable, since 0.1
-- reads: hops
-- concerns: grade = 'contradicted'
-- message: {caller} called {callee}, and {said}.
-- why: of two witnesses that name two callers one is mistaken at best, and an impersonation at worst.
-- fix: {instead}.
-- remedy: let the caller send its own name and credential; where it does, find out who else uses them.
-- check: bindtrace hops --caller {caller} --callee {callee} --grade contradicted --since 10m
-- may be wrong when: the names are one service (map them under [services.NAME] match in bindtrace.toml), or it calls for another (`delegates_for`).
select
    h.trace_id,
    h.anchor_span_id,
    h.answered,
    null as severity,
    h.grant_file as file,
    h.grant_line as line,
    json_object(
        'said', array_to_string(
            list_filter(
                [
                    case when h.claimed_caller <> h.caller then 'claimed in Service-Binding to be ' || h.claimed_caller end,
                    case when h.verified_caller is not null then 'its token is that of ' || h.verified_caller end,
                    case when h.peer_caller is not null then 'its certificate is that of ' || h.peer_caller end
                ],
                lambda said: said is not null
            ),
            ', '
        ),
        'instead', case
            when h.verified_caller is null and h.peer_caller is null
            then format(
                'let {} send its own name (its propagator or header code sets {}); if it should not know that name, investigate {}',
                h.caller, h.claimed_caller, h.caller
            )
            else format('find out who holds that credential and renew it, or correct the resource attributes of {}', h.caller)
        end
    ) as evidence
from hops as h
where h.grade = 'contradicted' and not list_has_any(h.marks, ['never-issued', 'issued-for-another'])
