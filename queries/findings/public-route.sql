-- Public route: an internal call left by a public name or address although the callee is one of ours.
-- severity: medium
-- category: routing
-- status: stable, since 0.1
-- reads: hops, services
-- concerns: road = 'public' and caller is not null
-- message: {caller} called {callee} by the public host {host}{slower}.
-- why: the binding keeps this traffic inside; the public road adds an edge, a cost and an attack surface.
-- fix: {instead}, then remove the public route to {callee} if nothing else needs it.
-- remedy: call the callee by its binding, or declare one, then remove the public route to it if nothing else needs it.
-- check: bindtrace hops --caller {caller} --callee {callee} --road public --since 10m
-- may be wrong when: the callee is public on purpose and has no binding; declare its exposure as public.
with open as (
    select distinct service from services where exposure = 'public'
),
inside as (
    select
        caller,
        callee,
        median(duration_nano) filter (road = 'public') as public_nano,
        median(duration_nano) filter (road in ('binding', 'private')) as inside_nano,
        any_value(binding) filter (road = 'binding') as binding
    from hops
    where (caller, callee) in (select caller, callee from hops where road = 'public' and caller is not null)
    group by caller, callee
)
select
    h.trace_id,
    h.anchor_span_id,
    h.answered,
    case
        when h.grade = 'inferred' then 'low'
        when h.protection = 'plaintext' or h.verified_caller is not null then 'high'
        -- an address alone may be a range of ours that nobody declared
        when h.confidence = 'suspected' and h.via = [] and host_is_address(h.server_host) then 'low'
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
            when coalesce(h.binding, p.binding) is not null
            then format('call the address in {} instead of {}', coalesce(h.binding, p.binding), h.server_host)
            else format('declare a binding from {} to {} and call its address instead of {}', h.caller, h.callee, h.server_host)
        end
    ) as evidence
from hops as h
join inside as p using (caller, callee)
left join open on open.service = h.callee
where
    h.road = 'public'
    and h.kind in ('call', 'message')
    and h.caller is not null
    and h.grant_road = 'binding'
    -- a browser, or another project without a binding, has no other way
    and not list_contains(h.marks, 'caller-outside')
    and (h.binding is not null or (open.service is null and coalesce(h.caller_scope = h.scope, true)))
