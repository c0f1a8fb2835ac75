-- Unanswered calls: client spans below which no other service was seen.
-- reads: nodes, walk
-- why: a callee without telemetry is a callee all the same; the outermost client span of a call speaks for it.
create or replace temp table unanswered as
with spent as (
    select distinct trace_id, unnest(caller_evidence) as span_id from walk where entry
),
visits as (
    select trace_id, visit, bool_or(not proxy) as has_app from walk group by trace_id, visit
),
below as (
    select trace_id, last_client as span_id, list(span_id order by depth) as spans
    from walk
    where proxy and last_client is not null and kind in (2, 3, 4, 5)
    group by trace_id, last_client
)
select
    w.trace_id,
    w.span_id,
    w.visit,
    w.kind,
    w.edge,
    w.proxy,
    w.service,
    case when w.edge then w.caller_visit else w.visit end as caller_visit,
    case when w.edge then w.caller_span_id else w.span_id end as caller_span_id,
    case when w.edge then w.caller_evidence else [] end
    || case when w.proxy then w.proxies else [w.span_id] end
    || coalesce(below.spans, []) as evidence,
    case when w.edge then w.via || [w.service] else [] end as via,
    case when w.edge then coalesce(w.edge_span_id, w.visit) end as edge_span_id,
    w.edge and w.orphan as orphan
from walk as w
join visits using (trace_id, visit)
left join below using (trace_id, span_id)
join nodes as n using (trace_id, span_id)
anti join spent using (trace_id, span_id)
where
    w.kind in (3, 4)
    and (w.first_client = w.span_id or (w.proxy and w.first_client is null))
    -- OpenTracing's virtual service: a client span in the callee's own name, below its caller, is the callee itself
    and not (
        w.span_id = w.visit
        and w.caller_visit is not null
        and coalesce(n.peer_service, w.service) = w.service
        and coalesce(n.server_host, n.db_system, n.messaging_system, n.claimed_callee) is null
    )
    -- a sidecar's last leg to its own application is not a call
    and not (
        w.proxy
        and not w.edge
        and not w.app_seen
        and (
            coalesce(starts_with(n.proxy_cluster, 'inbound|'), false)
            or (visits.has_app and (w.span_id <> w.visit or own_host(n.network_peer_address)))
            or (w.span_id <> w.visit and own_host(n.network_peer_address))
        )
    )
