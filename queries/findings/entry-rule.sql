-- Entry rule: a service that may be reached only through another was reached without it.
-- severity: medium
-- category: authorization
-- status: preview, since 0.1
-- quiet: 30 s
-- reads: hops, services
-- concerns: callee in (select service from services where only_through <> [])
-- message: {caller} called {callee} on the way {way}, which does not pass {through}.
-- why: every call was declared, yet the chain as a whole goes round the service that decides.
-- fix: let {caller} ask {through} instead, or add a service on the way to `only_through` of {callee}.
-- remedy: let the caller ask a service of `only_through`, or add one on the way to it.
-- check: bindtrace findings --rule entry-rule --callee {callee} --since 10m
-- may be wrong when: the service to pass sends no spans.
with guarded as (
    select service, any_value(only_through) as through, any_value(file) as file, any_value(line) as line
    from services
    where only_through <> []
    group by service
)
select
    h.trace_id,
    h.anchor_span_id,
    h.answered,
    -- who entered is not known: it may have been the one
    case when r.caller is null and r.road <> 'public' then 'info' end as severity,
    g.file,
    g.line,
    json_object('way', array_to_string(h.path, ' → '), 'through', array_to_string(g.through, ' or ')) as evidence
from hops as h
join guarded as g on g.service = h.callee
join (
    select trace_id, path, any_value(caller) as caller, max(road) as road
    from hops
    where depth = 0
    group by trace_id, path
    -- where the beginning of a chain is missing, nothing is known of its way
    having not bool_or(orphan)
) as r on r.trace_id = h.chain_trace_id and h.path[1:len(r.path)] = r.path
where h.caller is not null and not list_has_any(h.path[1:len(h.path) - 1], g.through)
