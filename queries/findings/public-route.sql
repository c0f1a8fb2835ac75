-- Public route: an internal call left by a public name or address although the callee is one of ours.
-- severity: medium
-- category: routing
-- status: stable, since 0.1
-- reads: hops
-- message: {caller} called {callee} by the public host {host}{slower}.
-- why: the binding keeps this traffic inside; the public road adds an edge, a cost and an attack surface.
-- fix: {instead}, then remove the public route to {callee} if nothing else needs it.
-- check: bindtrace hops --caller {caller} --callee {callee} --road public --since 10m
-- may be wrong when: the callee is public on purpose and has no binding; declare its exposure as public.
-- source: findings.md F04
with pairs as (
    select
        caller,
        callee,
        median(duration_nano) filter (road = 'public') as public_nano,
        median(duration_nano) filter (road in ('binding', 'private')) as inside_nano
    from hops
    group by caller, callee
)
select
    h.trace_id,
    h.anchor_span_id,
    h.answered,
    case
        when h.grade = 'inferred' then 'low'
        when h.protection = 'plaintext' then 'high'
    end as severity,
    h.grant_file as file,
    h.grant_line as line,
    json_object(
        'host', h.server_host,
        'slower', case
            when p.public_nano > p.inside_nano
            then format(
                ', {:.1f} ms slower than inside (median {:.1f} against {:.1f} ms)',
                (p.public_nano - p.inside_nano) / 1e6, p.public_nano / 1e6, p.inside_nano / 1e6
            )
            else ''
        end,
        'instead', case
            when h.binding is not null
            then format('call the address in {} instead of {}', h.binding, h.server_host)
            else format('declare a binding from {} to {} and call its address instead of {}', h.caller, h.callee, h.server_host)
        end
    ) as evidence
from hops as h
join pairs as p using (caller, callee)
where h.road = 'public' and h.kind in ('call', 'message') and h.caller is not null
