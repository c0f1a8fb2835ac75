-- Walk: every span with the visit that it belongs to, and what a call from there would leave by.
-- reads: nodes
-- why: a visit is one service at work on one request; a new visit is a call. Sidecars carry their service's name
--      and so fold into its visit by themselves; a declared edge has visits of its own that calls look through.
create or replace temp table walk as
with recursive walk as (
    select
        node,
        parent,
        trace,
        trait,
        name,
        kind,
        edge,
        proxy,
        true as entry,
        orphan,
        node as visit,
        trait as visit_trait,
        -- of the path inside the visit: what the next call would leave by
        case when not proxy and kind in (2, 3, 4, 5) then kind else 0 end as app_kind,
        not proxy as app_seen,
        case when not proxy and kind in (3, 4) then node end as first_client,
        case when not proxy and kind in (3, 4) then node end as last_client,
        case when proxy and kind in (3, 4) then node end as proxy_client,
        -- the last of the proxies that are behind one another here
        case when proxy and kind in (2, 3, 4, 5) then node end as last_proxy,
        0::usmallint as depth
    from nodes
    where parent is null
    union all
    select
        c.node,
        c.parent,
        c.trace,
        c.trait,
        c.name,
        c.kind,
        c.edge,
        c.proxy,
        c.crosses,
        false,
        case when c.crosses then c.node else c.visit end,
        case when c.crosses then c.trait else c.visit_trait end,
        case
            when not c.proxy and c.kind in (2, 3, 4, 5) then c.kind
            when c.crosses then 0
            else c.app_kind
        end,
        not c.proxy or (not c.crosses and c.app_seen),
        case
            when c.proxy or c.kind not in (2, 3, 4, 5) then case when not c.crosses then c.first_client end
            when c.kind in (3, 4) then coalesce(case when not c.crosses then c.first_client end, c.node)
        end,
        case
            when c.proxy or c.kind not in (2, 3, 4, 5) then case when not c.crosses then c.last_client end
            when c.kind in (3, 4) then c.node
        end,
        case
            when c.proxy and c.kind in (3, 4) then c.node
            when c.proxy and not c.crosses then c.proxy_client
        end,
        case
            when not c.proxy then null
            when c.kind in (2, 3, 4, 5) then c.node
            when not c.crosses then c.last_proxy
        end,
        c.depth + 1
    from (
        select
            child.node, child.parent, child.trace, child.trait, child.name, child.kind, child.edge, child.proxy,
            w.visit, w.visit_trait, w.app_kind, w.app_seen, w.first_client, w.last_client, w.proxy_client,
            w.last_proxy, w.depth,
            child.name <> w.name
            -- a service that calls itself: its server span below its own client span, or below another process
            or (
                not child.proxy
                and child.kind in (2, 5)
                and (w.app_kind in (3, 4) or (child.remote_parent and w.app_seen))
            ) as crosses
        -- of two tables without statistics the last is hashed, once for every level: it must be the level, not the spans
        from nodes as child
        join walk as w on child.parent = w.node
        where w.depth < 1024
    ) as c
)
select * from walk
