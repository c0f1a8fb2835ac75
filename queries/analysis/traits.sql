-- Traits: what many spans say alike, each distinct tuple of it once, with the service that says it.
-- parameters: first_load, last_load (of the touched traces)
-- reads: touched, spans, identities, service_matches, believed_credentials, host_classes, asked
-- why: names, hosts and states repeat: a few thousand tuples in a million spans. All that is decided from them is
--      decided once a tuple, and a span carries the tuple's number. What differs from call to call (ids, times, paths,
--      methods, statuses) is not in it; of an address only what it is classed as. A name comes from its own resource
--      only, never from a neighbour.
create or replace temp table traits as
with aliases as (
    -- few, if any: one value, not a join for each column that names a service
    select map_from_entries(list((alias, service))) as services
    from (
        select value as alias, any_value(service) as service
        from service_matches
        where attribute = 'service.name'
        group by value
    )
),
alike as (
    -- clients have addresses without end: the first stands for all that are classed as it is
    select min(host) as first_host, unnest(list(host)) as host
    from host_classes
    group by class, egress_of, probes, own_host(host)
),
told as materialized (
    select
        list(s.rowid) as arrivals,
        s.resource_id,
        s.kind,
        -- OTLP flags bits 8 and 9: known, and yes
        s.flags & 768 = 768 as remote_parent,
        s.url_scheme,
        s.server_host,
        case when a.address then s.network_peer_address else peer.first_host end as network_peer_address,
        client.first_host as client_address,
        s.peer_service,
        s.binding_name,
        s.claimed_caller,
        s.claimed_callee,
        s.db_system,
        s.db_name,
        s.messaging_system,
        s.messaging_destination,
        s.component,
        s.proxy_cluster,
        s.proxy_node,
        s.resend_count,
        s.tls_version,
        s.peer_cert_sha256,
        s.peer_id,
        s.verified_caller,
        s.authz_decision,
        s.authz_reason,
        s.credential_sha256,
        -- by which service a guard says that it was accepted, as that knows itself; empty where it does not say
        case
            when s.credential_sha256 is not null and s.authz_reason in ('ok', 'ok_bearer') then coalesce(s.target_id, '')
        end as accepted_by,
        s.authz_assurance,
        s.authz_position,
        s.authz_headers_mutated = 'true' as mutated,
        s.authz_failure_mode = 'open' as failed_open,
        s.authz_replayed = 'true' as replayed,
        s.trust_late = 'true' as trust_late,
        s.edge_stripped is not null and s.edge_stripped <> '-' as stripped,
        -- renewed at a half of its life, it is late from two thirds
        case
            when 6 * s.credential_age_s::integer > 5 * (s.credential_age_s::integer + s.credential_remaining_s)
                then 'credential-ending'
            when 3 * s.credential_age_s::integer > 2 * (s.credential_age_s::integer + s.credential_remaining_s)
                then 'credential-old'
        end as credential_mark,
        -- issued before the log that we have begins: whether it was ever issued is not to be told
        s.start_time_unix_nano < log.begins_unix_nano + 1000000000::ubigint * s.credential_age_s as before_log
    from spans as s
    semi join touched using (trace_id)
    cross join asked as a
    left join alike as peer on peer.host = s.network_peer_address
    left join alike as client on client.host = s.client_address
    cross join (select min(issued_unix_nano) as begins_unix_nano from believed_credentials) as log
    where s.load_id >= $first_load and s.load_id <= $last_load
    group by all
),
speakers as (
    -- numbered among few: a window over all tuples would sort every column of them, twice
    select
        *,
        dense_rank() over (order by service, nameless)::integer as name,
        dense_rank() over (order by resource_id)::integer as host
    from (
        select
            said.*,
            coalesce(n.service, proxy_service(said.proxy_node), 'unknown_service') as service,
            -- two resources without a name are two services until something says otherwise
            case when coalesce(n.service, said.proxy_node) is null then said.resource_id end as nameless,
            n.scope, n.environment, n.deployment, n.edge, n.unattested, n.proxy
        from (select distinct resource_id, proxy_node from told) as said
        join identities as n using (resource_id)
    )
)
select
    row_number() over ()::integer as trait,
    n.name,
    n.host,
    told.* exclude (claimed_caller, claimed_callee, peer_service),
    n.service,
    n.nameless,
    n.scope,
    n.environment,
    n.deployment,
    n.edge,
    n.unattested,
    n.edge or n.proxy or coalesce(told.component = 'proxy', false) as proxy,
    -- a claim names itself as its sender's telemetry does
    coalesce(aliases.services[told.claimed_caller], told.claimed_caller) as claimed_caller,
    coalesce(aliases.services[told.claimed_callee], told.claimed_callee) as claimed_callee,
    coalesce(aliases.services[told.peer_service], told.peer_service) as peer_service
from told
join speakers as n on n.resource_id = told.resource_id and n.proxy_node is not distinct from told.proxy_node
cross join aliases
