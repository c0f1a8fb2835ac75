-- Visits: every service at work on one request, with who called it and by which spans.
-- reads: walk, traits, proxied
-- why: what the walk knew at the parent is what led here. Below a declared edge it is what had led to the edge: edges
--      are looked through, and kept in `via`. Spans of a call are kept as numbers; `evidence` lists them in the end.
create or replace temp table visits as
with recursive entries as (
    select
        w.node as visit, w.trace, w.trait, w.name, w.kind, w.edge, w.proxy, w.orphan, w.parent,
        p.visit as parent_visit, p.visit_trait as parent_trait, p.edge as parent_edge, p.kind as parent_kind,
        p.first_client, p.last_client, p.proxy_client, p.last_proxy
    from walk as w
    left join walk as p on p.node = w.parent
    where w.entry
),
edges as (
    select distinct name, service from traits where edge
),
led as (
    select
        visit, trace, trait, name, kind, edge, proxy, orphan, parent, parent_kind,
        parent_visit as caller_visit,
        parent_trait as caller_trait,
        coalesce(last_client, proxy_client) as caller_node,
        first_client, last_client, last_proxy,
        null::integer[] as edge_proxies,
        null::ubigint[] as edge_spans,
        null::varchar[] as via,
        null::integer as edge_node
    from entries
    where parent_edge is not true
    union all
    select
        e.visit, e.trace, e.trait, e.name, e.kind, e.edge, e.proxy, e.orphan, e.parent, e.parent_kind,
        l.caller_visit,
        l.caller_trait,
        l.caller_node,
        l.first_client, l.last_client, l.last_proxy,
        list_append(coalesce(l.edge_proxies, []), e.last_proxy),
        coalesce(l.edge_spans, []) || coalesce(p.spans, []),
        list_append(coalesce(l.via, []), edges.service),
        coalesce(l.edge_node, l.visit)
    from led as l
    join entries as e on e.parent_edge and e.parent_visit = l.visit
    join edges on edges.name = l.name
    left join proxied as p on p.node = e.last_proxy
),
behind_proxies as (
    -- the service's own first span, where a sidecar's was the first of all
    select w.visit, (min(w.depth::bigint << 32 | w.node) & 4294967295)::integer as app_node
    from walk as w
    semi join (select visit from entries where proxy) using (visit)
    where not w.proxy
    group by w.visit
)
select led.*, case when led.proxy then b.app_node else led.visit end as app_node
from led
left join behind_proxies as b using (visit)
