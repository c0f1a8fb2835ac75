-- Unknown callee: an internal call to a host that nobody declared and that sends no telemetry.
-- severity: low
-- category: inventory
-- status: stable, since 0.1
-- quiet: 30 s
-- reads: hops
-- concerns: kind = 'external' and road = 'private' and reason = 'callee_unknown'
-- message: {caller} called the internal host {host}, and nothing says whose it is.
-- why: a service outside every manifest is a service whose callers nobody controls.
-- fix: declare {host} under [services.NAME] hosts in bindtrace.toml (and a binding from {caller}), or remove the call.
-- remedy: declare the host under [services.NAME] hosts in bindtrace.toml (and a binding from the caller), or remove the call.
-- check: bindtrace hops --caller {caller} --callee {host} --since 10m
-- may be wrong when: the host is an agent of the machine itself, such as a telemetry or metadata endpoint.
select
    h.trace_id,
    h.anchor_span_id,
    h.answered,
    null as severity,
    null::varchar as file,
    null::uinteger as line,
    json_object('host', h.server_host) as evidence
from hops as h
where
    h.kind = 'external'
    and h.road = 'private'
    and h.reason = 'callee_unknown'
    and h.caller is not null
