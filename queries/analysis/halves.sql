-- Halves of one call that broken or restarted propagation left apart, joined only by a key that both sides carry.
-- reads: nodes, walk, entered, unanswered, siblings
-- why: never joined by time or name alone. The Service-Binding header says chain, hop and caller even where the trace
--      context was dropped (several calls that fit are paired in the order in which they began); a span link says it
--      outright; a request id joins where it is the only call with it on either side.
create or replace temp table halves as
with callees as (
    select
        e.trace_id, e.visit, n.claimed_chain, n.claimed_hop, n.claimed_caller, n.service, n.kind,
        n.start_time_unix_nano as start, coalesce(n.request_id, entry.request_id) as request_id,
        coalesce(n.links, entry.links, edge.links) as links
    from entered as e
    join nodes as n on n.trace_id = e.trace_id and n.span_id = coalesce(e.app_span_id, e.visit)
    join nodes as entry on entry.trace_id = e.trace_id and entry.span_id = e.visit
    left join nodes as edge on edge.trace_id = e.trace_id and edge.span_id = e.edge_span_id
    where e.caller_visit is null
),
callers as (
    select
        u.trace_id, u.span_id, n.claimed_hop, n.service, n.claimed_callee, n.start_time_unix_nano as start,
        coalesce(n.claimed_chain, trace_hex(u.trace_id)) as chain,
        coalesce(n.request_id, entry.request_id) as request_id,
        n.db_system is null as reaches_services
    from unanswered as u
    join nodes as n using (trace_id, span_id)
    join nodes as entry on entry.trace_id = u.trace_id and entry.span_id = u.visit
    where not u.edge
),
by_header as (
    select c.trace_id, c.visit, k.trace_id as caller_trace_id, k.span_id as caller_span_id
    from (
        select *, row_number() over (
            partition by claimed_chain, claimed_hop, claimed_caller, service order by start, trace_id, visit
        ) as place
        from callees
        where claimed_hop is not null and claimed_caller is not null and claimed_chain <> trace_hex(trace_id)
    ) as c
    join (
        select *, row_number() over (
            partition by chain, claimed_hop, service, claimed_callee order by start, trace_id, span_id
        ) as place
        from callers
    ) as k
        on k.chain = c.claimed_chain
        and k.claimed_hop = c.claimed_hop
        and k.service = c.claimed_caller
        and coalesce(k.claimed_callee, c.service) = c.service
        and k.place = c.place
),
by_link as (
    select
        c.trace_id, c.visit,
        arg_min(w.trace_id, (w.trace_id, w.span_id)) as caller_trace_id,
        arg_min(w.span_id, (w.trace_id, w.span_id)) as caller_span_id
    from (select trace_id, visit, unnest(json_extract(links, '$[*]')) as link from callees where links is not null) as c
    join walk as w
        on w.trace_id = try_cast(json_extract_string(c.link, '$.trace_id') as uuid)
        and w.span_id = try_cast('0x' || json_extract_string(c.link, '$.span_id') as ubigint)
        and (w.trace_id, w.visit) <> (c.trace_id, c.visit)
    group by c.trace_id, c.visit
),
by_request as (
    select any_value(c.trace_id) as trace_id, any_value(c.visit) as visit,
        any_value(k.trace_id) as caller_trace_id, any_value(k.span_id) as caller_span_id
    from callees as c
    join callers as k using (request_id)
    where
        c.kind = 2
        and k.reaches_services
        and c.claimed_caller is null
        and k.service <> c.service
        and coalesce(k.claimed_callee, c.service) = c.service
        and (c.trace_id, c.start) <> (k.trace_id, k.start)
    group by request_id
    having count(*) = 1
),
every as (
    select trace_id, visit, trace_id as caller_trace_id, caller_span_id, 'remote-ancestor' as pairing, 1 as rank
    from siblings
    where caller_span_id is not null
    union all
    select *, 'link', 2 from by_link
    union all
    select *, 'binding-header', 3 from by_header
    union all
    select *, 'request-id', 4 from by_request
)
select distinct on (trace_id, visit) trace_id, visit, caller_trace_id, caller_span_id, pairing
from every
-- a call has one callee: the surer key takes it
qualify row_number() over (partition by caller_trace_id, caller_span_id order by rank, trace_id, visit) = 1
    or pairing = 'link'
order by trace_id, visit, rank
