-- Walk: every span with the visit it belongs to, and what led from the caller to that visit.
-- reads: nodes
-- why: a visit is one service at work on one request; a new visit is a call. Sidecars carry their service's name
--      and so fold into its visit by themselves; a declared edge has visits of its own that calls look through.
create or replace temp table walk as
with recursive walk as (
    select
        n.trace_id,
        n.span_id,
        n.kind,
        n.service,
        n.nameless,
        n.edge,
        n.proxy,
        true as entry,
        n.span_id as visit,
        n.parent_span_id is not null as orphan,
        -- of the visit: who called it
        null::ubigint as caller_visit,
        null::ubigint as caller_span_id,
        []::ubigint[] as caller_evidence,
        []::varchar[] as via,
        null::ubigint as edge_span_id,
        -- of the path inside the visit: what the next call would leave by
        case when not n.proxy and n.kind in (2, 3, 4, 5) then n.kind else 0 end as app_kind,
        not n.proxy as app_seen,
        case when not n.proxy and n.kind in (3, 4) then n.span_id end as first_client,
        case when not n.proxy and n.kind in (3, 4) then n.span_id end as last_client,
        case when n.proxy and n.kind in (3, 4) then n.span_id end as proxy_client,
        case when n.proxy and n.kind in (2, 3, 4, 5) then [n.span_id] else []::ubigint[] end as proxies,
        0 as depth
    from nodes as n
    left join nodes as parent on parent.trace_id = n.trace_id and parent.span_id = n.parent_span_id
    where parent.span_id is null
    union all
    select
        c.trace_id,
        c.span_id,
        c.kind,
        c.service,
        c.nameless,
        c.edge,
        c.proxy,
        c.crosses,
        case when c.crosses then c.span_id else c.visit end,
        false,
        case when not c.crosses then c.caller_visit when c.parent_edge then c.caller_visit else c.visit end,
        case
            when not c.crosses or c.parent_edge then c.caller_span_id
            else coalesce(c.last_client, c.proxy_client)
        end,
        case
            when not c.crosses then c.caller_evidence
            when c.parent_edge then c.caller_evidence || c.proxies
            when c.first_client = c.last_client then [c.last_client] || c.proxies
            when c.last_client is not null then [c.first_client, c.last_client] || c.proxies
            else c.proxies
        end,
        case
            when not c.crosses then c.via
            when c.parent_edge then c.via || [c.parent_service]
            else []
        end,
        case
            when not c.crosses then c.edge_span_id
            when c.parent_edge then coalesce(c.edge_span_id, c.visit)
        end,
        case
            when not c.proxy and c.kind in (2, 3, 4, 5) then c.kind
            when c.crosses then 0
            else c.app_kind
        end,
        not c.proxy or (not c.crosses and c.app_seen),
        case
            when c.proxy or c.kind not in (2, 3, 4, 5) then case when not c.crosses then c.first_client end
            when c.kind in (3, 4) then coalesce(case when not c.crosses then c.first_client end, c.span_id)
        end,
        case
            when c.proxy or c.kind not in (2, 3, 4, 5) then case when not c.crosses then c.last_client end
            when c.kind in (3, 4) then c.span_id
        end,
        case
            when c.proxy and c.kind in (3, 4) then c.span_id
            when c.proxy and not c.crosses then c.proxy_client
        end,
        case
            when not c.proxy then []
            when c.kind not in (2, 3, 4, 5) then case when c.crosses then [] else c.proxies end
            when c.crosses then [c.span_id]
            else c.proxies || [c.span_id]
        end,
        c.depth + 1
    from (
        select
            child.trace_id, child.span_id, child.kind, child.service, child.nameless, child.edge, child.proxy,
            child.parent_span_id, w.service as parent_service, w.edge as parent_edge,
            w.visit, w.caller_visit, w.caller_span_id, w.caller_evidence, w.via, w.edge_span_id,
            w.app_kind, w.app_seen, w.first_client, w.last_client, w.proxy_client, w.proxies, w.depth,
            child.service <> w.service
            or child.nameless is distinct from w.nameless
            -- a service that calls itself: its server span below its own client span, or below another process
            or (
                not child.proxy
                and child.kind in (2, 5)
                and (w.app_kind in (3, 4) or (child.remote_parent and w.app_seen))
            ) as crosses
        from walk as w
        join nodes as child on child.trace_id = w.trace_id and child.parent_span_id = w.span_id
        where w.depth < 1024
    ) as c
)
select * from walk
