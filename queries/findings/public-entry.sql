-- Public entry: a service that no manifest opens to the outside served a call from there.
-- severity: high
-- category: exposure
-- status: stable, since 0.1
-- reads: hops
-- concerns: road = 'public' and verdict = 'denied'
-- message: the outside reached {callee} at {path}{through}, and no public route declares it.
-- why: a service that is internal by its manifest has nothing in front of it that was reviewed for the internet.
-- fix: remove the route {path} to {callee}{where_}, or declare it as a public rewrite.
-- remedy: remove the route to the callee, or declare it as a public rewrite.
-- check: bindtrace hops --callee {callee} --road public --verdict denied --since 10m
-- may be wrong when: the rewrite is declared in a manifest that was not given, or a load balancer checks health from outside (declare it as a probe).
select
    h.trace_id,
    h.anchor_span_id,
    h.answered,
    null as severity,
    s.file,
    s.line,
    json_object(
        'path', coalesce(h.url_path, '/'),
        'through', case when h.via <> [] then ' through ' || array_to_string(h.via, ', ') else '' end,
        'where_', case when h.via <> [] then ' from ' || array_to_string(h.via, ', ') else '' end
    ) as evidence
from hops as h
left join (
    select service, arg_min(file, platform = 'bindtrace') as file, arg_min(line, platform = 'bindtrace') as line
    from services
    group by service
) as s on s.service = h.callee
where
    -- a missing parent alone proves nothing: the road must show that the call came through an edge
    (h.caller is null or list_contains(h.marks, 'caller-outside'))
    and h.road = 'public'
    and h.verdict = 'denied'
    and h.reason = 'undeclared'
    and not list_contains(h.marks, 'probe')
