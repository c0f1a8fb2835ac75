-- Re-entry: a chain left by the public edge and came back to a service that it had passed, or as a trace of its own.
-- severity: low
-- category: routing
-- status: preview, since 0.1
-- reads: hops, services
-- concerns: road = 'public' and caller is not null
-- message: the chain {way} left at {caller} by the public edge{edge} and came back in at {callee}{as_}.
-- why: behind the edge the call is a visitor's: identity, deadline and quota of the chain are lost, and the edge pays twice.
-- fix: {instead}.
-- remedy: call the callee by its binding, or declare one, and not by the public edge.
-- check: bindtrace findings --rule re-entry --caller {caller} --callee {callee} --since 10m
-- may be wrong when: the callee is public on purpose and has no binding; declare its exposure as public.
select
    h.trace_id,
    h.anchor_span_id,
    h.answered,
    null as severity,
    h.grant_file as file,
    h.grant_line as line,
    json_object(
        'way', array_to_string(h.path, ' → '),
        'edge', case when h.via <> [] then ' ' || array_to_string(h.via, ', ') else '' end,
        'as_', case
            when list_contains(h.path[1:len(h.path) - 1], h.callee) then ', which it had passed before'
            else ', as a trace of its own'
        end,
        'instead', case
            when h.binding is not null then 'call the address in ' || h.binding
            else 'declare a binding from ' || h.caller || ' to ' || h.callee || ' and call its address'
        end
    ) as evidence
from hops as h
left join (select distinct service from services where exposure = 'public') as open on open.service = h.callee
where
    h.road = 'public'
    and h.confidence = 'confirmed'
    and h.caller is not null
    and (list_contains(h.path[1:len(h.path) - 1], h.callee) or h.parent_trace_id <> h.trace_id)
    and h.kind in ('call', 'message')
    and h.grant_road = 'binding'
    and not list_contains(h.marks, 'caller-outside')
    and (open.service is null or h.binding is not null)
    and coalesce(h.caller_scope = h.scope, true)
