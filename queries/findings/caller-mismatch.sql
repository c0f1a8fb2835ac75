-- Caller mismatch: who the request says is calling is not who called.
-- severity: high
-- category: identity
-- status: stable, since 0.1
-- reads: hops
-- message: {caller} called {callee} and claimed in Service-Binding to be {claimed}.
-- why: a claim that its sender's own spans contradict is a mistake at best and an impersonation at worst.
-- fix: let {caller} send its own name (its propagator or header code sets {claimed}); if it should not know that name, investigate {caller}.
-- check: bindtrace hops --caller {caller} --callee {callee} --grade contradicted --since 10m
-- may be wrong when: the two names are one service; map them under [services.NAME] match in bindtrace.toml.
-- source: findings.md F05
select
    h.trace_id,
    h.anchor_span_id,
    h.answered,
    null as severity,
    h.grant_file as file,
    h.grant_line as line,
    json_object('claimed', h.claimed_caller) as evidence
from hops as h
where h.grade = 'contradicted'
