-- Proxied: for each proxy's span the proxies of its service that it stands behind on its path, itself the last.
-- reads: walk, nodes
create or replace temp table proxied as
with recursive proxies as (
    select w.node, case when not w.entry then p.last_proxy end as before
    from walk as w
    left join walk as p on p.node = w.parent
    where w.proxy and w.last_proxy = w.node
),
behind as (
    select p.node, p.before, n.span_id from proxies as p join nodes as n using (node)
),
row_of as (
    select node, [node] as nodes, [span_id] as spans from behind where before is null
    union all
    select b.node, list_append(r.nodes, b.node), list_append(r.spans, b.span_id)
    from row_of as r
    join behind as b on b.before = r.node
)
select * from row_of
