-- Halves of one call that broken or restarted propagation left apart, joined only by a key that both sides carry.
-- reads: nodes, traits, touched, walk, began, left_open, keys, siblings
-- why: never joined by time or name alone. A span link says it outright. The Service-Binding header says chain, hop and
--      caller even where the trace context was dropped (several calls that fit are paired in the order in which they
--      began); the hash of a proof or a request id joins where it is the only call with it on either side.
create or replace temp table halves as
with callees as (
    select
        b.visit, own.claimed_chain, own.claimed_hop, k.claimed_caller, k.service, b.kind, n.trace,
        n.start_time_unix_nano as start, coalesce(own.request_id, entry.request_id) as request_id,
        coalesce(own.proof, entry.proof) as proof,
        coalesce(own.links, entry.links, edge.links) as links
    from began as b
    join nodes as n on n.node = b.node
    join traits as k on k.trait = n.trait
    left join keys as own on own.node = b.node
    left join keys as entry on entry.node = b.visit
    left join keys as edge on edge.node = b.edge_node
    where own.node is not null or entry.node is not null or edge.node is not null
),
callers as (
    select
        o.node, own.claimed_hop, k.service, k.claimed_callee, n.trace, n.start_time_unix_nano as start,
        coalesce(own.claimed_chain, trace_hex(t.trace_id)) as chain,
        coalesce(own.request_id, entry.request_id) as request_id,
        own.proof,
        k.db_system is null as reaches_services
    from left_open as o
    join nodes as n on n.node = o.node
    join traits as k on k.trait = n.trait
    join touched as t on t.trace = n.trace
    left join keys as own on own.node = o.node
    left join keys as entry on entry.node = o.visit
    where own.node is not null or entry.node is not null
),
by_header as (
    select c.visit, k.node as caller_node
    from (
        select callees.*, row_number() over (
            partition by claimed_chain, claimed_hop, claimed_caller, service order by start, visit
        ) as place
        from callees
        join touched as t using (trace)
        where claimed_hop is not null and claimed_caller is not null and claimed_chain <> trace_hex(t.trace_id)
    ) as c
    join (
        select *, row_number() over (
            partition by chain, claimed_hop, service, claimed_callee order by start, node
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
    select c.visit, min(w.node) as caller_node
    from walk as w
    join (
        select c.visit, n.node
        from nodes as n
        join (
            select
                visit,
                try_cast(json_extract_string(link, '$.trace_id') as uuid) as trace_id,
                try_cast('0x' || json_extract_string(link, '$.span_id') as ubigint) as span_id
            from (select visit, unnest(json_extract(links, '$[*]')) as link from callees where links is not null)
        ) as c on c.span_id = n.span_id
        join touched as t on t.trace = n.trace and t.trace_id = c.trace_id
    ) as c on c.node = w.node and c.visit <> w.visit
    group by c.visit
),
by_request as (
    select any_value(c.visit) as visit, any_value(k.node) as caller_node
    from callees as c
    join callers as k using (request_id)
    where
        c.kind = 2
        and k.reaches_services
        and c.claimed_caller is null
        and k.service <> c.service
        and coalesce(k.claimed_callee, c.service) = c.service
        and (c.trace, c.start) <> (k.trace, k.start)
    group by request_id
    having count(*) = 1
),
by_proof as (
    -- made for one request, and sent with it
    select any_value(c.visit) as visit, any_value(k.node) as caller_node
    from callees as c
    join callers as k using (proof)
    where k.service <> c.service
    group by proof
    having count(*) = 1
),
every as (
    select visit, caller_node, 'remote-ancestor' as pairing, 1 as rank from siblings where caller_node is not null
    union all
    select *, 'link', 2 from by_link
    union all
    select *, 'proof', 3 from by_proof
    union all
    select *, 'binding-header', 4 from by_header
    union all
    select *, 'request-id', 5 from by_request
)
select distinct on (visit) visit, caller_node, pairing
from every
-- a call has one callee: the surer key takes it
qualify row_number() over (partition by caller_node order by rank, visit) = 1
    or pairing = 'link'
order by visit, rank
