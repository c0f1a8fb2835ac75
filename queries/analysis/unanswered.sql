-- Unanswered calls: client spans below which no other service was seen.
-- reads: walk, visits, leads, traits
-- why: a callee without telemetry is a callee all the same; the outermost client span of a call speaks for it.
create or replace temp table unanswered as
with outermost as (
    select w.*
    from walk as w
    anti join leads using (node)
    where w.kind in (3, 4) and (w.first_client = w.node or (w.proxy and w.first_client is null))
),
none as (
    select w.node
    from outermost as w
    join visits as v using (visit)
    join traits as k on k.trait = w.trait
    where
        -- OpenTracing's virtual service: a client span in the callee's own name, below its caller, is the callee itself
        (
            w.node = w.visit
            and v.caller_visit is not null
            and coalesce(k.peer_service, k.service) = k.service
            and coalesce(k.server_host, k.db_system, k.messaging_system, k.claimed_callee) is null
        )
        -- a sidecar's last leg to its own application is not a call
        or (
            w.proxy
            and not w.edge
            and not w.app_seen
            and (
                coalesce(starts_with(k.proxy_cluster, 'inbound|'), false)
                or (v.app_node is not null and (w.node <> w.visit or own_host(k.network_peer_address)))
                or (w.node <> w.visit and own_host(k.network_peer_address))
            )
        )
)
select
    w.node,
    w.trace,
    w.visit,
    w.kind,
    w.edge,
    w.proxy,
    case when w.edge then v.caller_visit else w.visit end as caller_visit,
    case when w.edge then v.caller_trait else w.visit_trait end as caller_trait,
    case when w.edge then v.caller_node else w.node end as caller_node,
    case when w.edge then v.first_client end as first_client,
    case when w.edge then v.last_client end as last_client,
    case when w.edge then v.last_proxy end as last_proxy,
    case when w.edge then v.edge_spans end as edge_spans,
    case when w.edge then list_append(coalesce(v.via, []), k.service) end as via,
    case when w.edge then coalesce(v.edge_node, w.visit) end as edge_node,
    w.edge and w.orphan as orphan
from outermost as w
join visits as v using (visit)
join traits as k on k.trait = w.trait
anti join none on none.node = w.node
