-- Nodes: the spans of the touched traces, each once, with the service that they speak for.
-- parameters: first_load, last_load (of the touched traces)
-- reads: touched, spans, identities, service_matches
-- why: a re-sent span must not count twice, and a name comes from its own resource only, never from a neighbour.
--      `span_id` is here the node's name: the span's own id, but for the second of two spans that share one
--      (Zipkin's client and server; two services with one id), whose own id stays in `own_span_id`.
create or replace temp table nodes as
with aliases as (
    select value as alias, any_value(service) as service
    from service_matches
    where attribute = 'service.name'
    group by value
),
here as (
    -- the bounds let DuckDB skip the row groups of all other loads
    select s.rowid as arrival, s.trace_id, s.span_id
    from spans as s
    semi join touched using (trace_id)
    where s.load_id >= $first_load and s.load_id <= $last_load
),
firsts as (
    -- rowid is the order of arrival: the first of a re-sent span is kept (240k spans: 3.6 s by `distinct on`, 0.2 s so)
    select trace_id, span_id, min(arrival) as arrival, count(*) as copies
    from here
    group by trace_id, span_id
),
copied as (
    -- only of these few is the content read
    select
        s.rowid as arrival, s.trace_id, s.span_id, s.kind in (2, 5) as serving, n.service,
        hash(s.kind, s.name, s.start_time_unix_nano, s.end_time_unix_nano, s.attributes) as content
    from here as h
    join firsts as f on f.trace_id = h.trace_id and f.span_id = h.span_id and f.copies > 1
    join spans as s on s.rowid = h.arrival
    join identities as n using (resource_id)
    where s.load_id >= $first_load and s.load_id <= $last_load
),
repeated as (
    select
        trace_id, span_id, serving, service,
        min(arrival) as arrival,
        count(distinct content) > 1 as conflict,
        row_number() over (partition by trace_id, span_id order by serving, min(arrival)) as place,
        bool_or(not serving) over (partition by trace_id, span_id) as has_client
    from copied
    group by trace_id, span_id, serving, service
),
kept as (
    select arrival, span_id as node_id, false as conflict, false as shared, null::ubigint as twin_of
    from firsts
    where copies = 1
    union all
    select
        arrival,
        case when place = 1 then span_id else md5_number_lower(trace_id || ':' || span_id || ':' || place) end,
        conflict,
        place > 1,
        case when place > 1 and serving and has_client then span_id end
    from repeated
),
below as (
    -- a child of a shared id belongs to the one that serves it, if that is its own service
    select trace_id, span_id as parent_span_id, service, md5_number_lower(trace_id || ':' || span_id || ':' || place) as node_id
    from repeated
    where place > 1
)
select
    s.trace_id,
    k.node_id as span_id,
    s.span_id as own_span_id,
    case
        when k.twin_of is not null then k.twin_of
        when s.parent_span_id <> s.span_id then coalesce(below.node_id, s.parent_span_id)
    end as parent_span_id,
    k.shared,
    k.conflict,
    false as cycle,
    s.kind,
    -- OTLP flags bits 8 and 9: known, and yes
    s.flags & 768 = 768 as remote_parent,
    s.start_time_unix_nano,
    case
        when s.end_time_unix_nano > s.start_time_unix_nano
        then s.end_time_unix_nano - s.start_time_unix_nano
        else 0
    end as duration_nano,
    s.status_code = 2 or coalesce(s.http_status >= 500, false) as error,
    coalesce(named.service, proxy_service(s.proxy_node), 'unknown_service') as service,
    -- two resources without a name are two services until something says otherwise
    case when coalesce(named.service, s.proxy_node) is null then s.resource_id end as nameless,
    s.resource_id as host,
    named.scope,
    named.environment,
    named.deployment,
    named.edge,
    named.edge or named.proxy or coalesce(s.component = 'proxy', false) as proxy,
    case when s.kind in (2, 5) then s.links end as links,
    -- a claim names itself as its sender's telemetry does
    coalesce(caller.service, s.claimed_caller) as claimed_caller,
    coalesce(callee.service, s.claimed_callee) as claimed_callee,
    coalesce(peer.service, s.peer_service) as peer_service,
    s.* exclude (
        trace_id, span_id, parent_span_id, kind, flags, start_time_unix_nano, end_time_unix_nano, status_code,
        trace_state, name, status_message, attributes, events, links, residue, dropped_attributes_count,
        dropped_events_count, dropped_links_count, resource_id, instrumentation_scope_id, received_unix_nano,
        load_id, component, claimed_caller, claimed_callee, peer_service
    )
from spans as s
join kept as k on k.arrival = s.rowid
join identities as named using (resource_id)
left join below
    on below.trace_id = s.trace_id
    and below.parent_span_id = s.parent_span_id
    and below.service = named.service
left join aliases as caller on caller.alias = s.claimed_caller
left join aliases as callee on callee.alias = s.claimed_callee
left join aliases as peer on peer.alias = s.peer_service
where s.load_id >= $first_load and s.load_id <= $last_load
