-- Placed: every shape of call with its caller and callee by name, and the classes of the hosts that it went by.
-- reads: sightings, traits, known_hosts, host_classes, witnesses, services, grant_revisions, resources
-- why: names and hosts are looked up by few columns, `dated` has the others: each join allocates all columns that pass it,
--      which was a tenth of a run over few spans.
create or replace temp table placed as
with known as (
    select service from traits
    union
    select service from services
    union
    select coalesce(service, '') from resources
    union
    -- one that is granted something is one of ours, although it never sent a span
    select unnest([caller, callee]) from grant_revisions
),
workers as (
    select distinct service from services where platform = 'cloudflare'
),
variables as (
    -- where a caller's variable leads, if every manifest says the same
    select caller, binding, any_value(callee) as callee
    from grant_revisions
    where binding is not null
    group by caller, binding
    having count(distinct callee) = 1
),
named_hosts as (
    -- what is known of each host that was called: exact before wildcard, internal before public, a platform's domain last
    select
        c.host,
        arg_min(h.service, h.place) as service,
        arg_min(h.road, h.place) as road,
        arg_min(h.platform_domain, h.place) as platform_domain
    from host_classes as c
    join (
        select
            *,
            contains(host, '*') as wild,
            (platform_domain, contains(host, '*'), road = 'public') as place
        from known_hosts
    ) as h
        on h.host in (c.host, c.bare)
        or (h.wild and (c.bare glob h.host or c.host glob h.host))
    group by c.host
),
hosts as (
    select c.host, c.class, c.egress_of, n.service, n.road, n.platform_domain
    from host_classes as c
    left join named_hosts as n using (host)
),
vouched as (
    -- whose each certificate and token is, where it is one of ours
    select w.witness, w.identity, w.deployment, known.service
    from witnesses as w
    left join known using (service)
)
select
    s.shape,
    -- one Worker is another's parent only by a binding, and the host in such a request means nothing
    -- (source: developers.cloudflare.com/workers/observability/traces/known-limitations)
    coalesce(s.pairing = 'parent' and bound_caller.service is not null and bound_callee.service is not null, false)
        as bound,
    case
        when bound then 'private'
        -- a platform may give bindings a name under its own domain: the caller's stamp knows better
        when not (used.platform_domain and s.binding_name is not null) then used.road
    end as name_road,
    used.class as used_class,
    case when not bound then address.class end as peer_class,
    case when not bound then target.class end as target_class,
    client.egress_of,
    coalesce(client.class = 'egress', false) as egress,
    -- a listener that faces the outside, or an address out there that is none of ours
    coalesce(s.authz_reason = 'not_applicable_public' or client.class in ('global', 'declared_public'), false)
        as from_outside,
    verified.identity as verified_identity,
    -- an edge that carries a call may show a token of its own: it is no caller
    case when not list_contains(s.via, verified.service) then verified.service end as verified_service,
    peer.identity as peer_identity,
    -- behind an edge the certificate is the edge's
    case when s.via = [] then peer.service end as peer_service_proven,
    -- who comes from outside may claim to be anybody
    s.claimed_caller is not null
        and s.caller_service is null
        and (s.via <> [] or coalesce(entry_peer.class in ('global', 'declared_public'), false)) as claims_outside,
    -- a claimed caller names the caller only where no span does and no credential
    coalesce(
        s.caller_service,
        verified_service,
        case when s.via = [] then peer.service end,
        case when not claims_outside then s.claimed_caller end
    ) as caller,
    -- its own resource, else its credential
    coalesce(
        s.caller_deployment,
        case when coalesce(s.caller_service, verified_service) = verified_service then verified.deployment end
    ) as caller_deployment,
    coalesce(
        s.entry_service,
        case when s.db_system is null and s.messaging_system is null then s.intended_callee end,
        variables.callee,
        target.service,
        case when s.db_system is null then peer_known.service end
    ) as callee_service
from sightings as s
left join workers as bound_caller on bound_caller.service = s.caller_service
left join workers as bound_callee on bound_callee.service = s.entry_service
left join variables on variables.caller = s.caller_service and variables.binding = s.binding_name
left join hosts as used on used.host = s.used_host
left join hosts as target on target.host = s.target_host
left join known as peer_known on peer_known.service = s.peer_service
left join host_classes as address on address.host = s.peer_address
left join host_classes as client on client.host = s.client_address
left join host_classes as entry_peer on entry_peer.host = s.entry_peer_address
left join vouched as verified on verified.witness = s.verified_caller
left join vouched as peer on peer.witness = s.peer_id
