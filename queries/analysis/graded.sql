-- Graded: every shape of call with what the manifests say of it, who vouches for its caller, and what it showed of a public road.
-- reads: dated, declared, requests_ruled, opened, outsiders, probed, services, traits, believed_credentials
-- why: once a shape and not once a call: it may use what is in `dated`, and nothing of a single call (`shapes`).
create or replace temp view graded as
with known as (
    select service from services
    union
    select service from traits
),
delegates as (
    select service, flatten(list(delegates_for)) as principals from services group by service
),
looked_up as materialized (
    select
        p.shape,
        coalesce(r.binding, d.granted_binding) as granted_binding,
        coalesce(r.file, d.grant_file) as grant_file,
        coalesce(r.line, d.grant_line) as grant_line,
        coalesce(
            p.callee_service,
            p.db_name, p.db_system,
            p.messaging_destination, p.messaging_system,
            p.target_host, p.peer_service
        ) as callee,
        p.via <> [] as through_edge,
        coalesce(p.name_road = 'public', false)
            -- split horizon: a public name that resolved to a private address stays inside
            and coalesce(p.peer_class not in ('private', 'link_local', 'shared', 'declared_internal'), true) as public_name,
        -- of a name only its road tells, of an address its class
        coalesce(p.peer_class in ('global', 'declared_public', 'egress'), false)
            or coalesce(p.used_class in ('global', 'declared_public', 'egress') and host_is_address(p.used_host), false)
            as public_address,
        -- the callee saw its caller come by the address that the caller's calls to the outside come from
        coalesce(p.egress_of = p.caller or (p.egress_of is null and p.egress), false) as by_egress,
        -- a mesh's policy is what happens; a grant for all requests comes before one for some
        coalesce(r.ruling, case when d.grant_line is not null then 'yes' end, r.fit, 'no') as grant_says,
        grant_says = 'yes' as granted,
        coalesce(d.granted_road, 'binding') as granted_road,
        coalesce(d.policed, false) or r.ruling is not null as policed,
        o.shape is not null as entry_declared,
        outside.service is not null as caller_outside,
        b.shape is not null as by_probe,
        differ(p.caller_service, claimed.service, list_contains(delegate.principals, p.claimed_caller)) as claim_differs,
        differ(p.caller_service, p.verified_service, list_contains(delegate.principals, p.verified_service))
            or differ(p.caller_service, p.peer_service_proven, list_contains(delegate.principals, p.peer_service_proven))
            or differ(p.verified_service, p.peer_service_proven, false) as credential_differs,
        -- a guard that accepts a token compares its callee with itself: where the log has another, no guard did
        coalesce(not list_contains(i.callees, p.accepted_by), false) as for_another,
        i.credential_sha256 is not null and not for_another as issued,
        for_another and p.accepted_by <> '' as issued_for_another,
        -- the log is written in order: what is newer than the call says that it was complete by then
        coalesce(
            p.verified_caller is not null and p.credential_sha256 is not null and i.credential_sha256 is null
            and p.before_last_issued and not p.before_log,
            false
        ) as never_issued
    from dated as p
    join (select * exclude (shapes), unnest(shapes) as shape from declared) as d on d.shape = p.shape
    left join requests_ruled as r
        on r.pair = d.pair
        and r.asked_method is not distinct from p.asked_method
        and r.asked_path is not distinct from p.asked_path
        and r.asked_host is not distinct from p.asked_host
        and r.asked_address is not distinct from p.asked_address
        and r.asked_identity is not distinct from p.asked_identity
        and r.protection = p.protection
    left join opened as o on o.shape = p.shape
    left join probed as b on b.shape = p.shape
    left join outsiders as outside on outside.service = p.caller
    left join known as claimed on claimed.service = p.claimed_caller
    left join delegates as delegate on delegate.service = p.caller_service
    -- to whom it was issued counts: who has once seen a good credential could else say that another showed it
    left join (
        select credential_sha256, subject, case when count(*) = count(callee) then list(callee) end as callees
        from believed_credentials
        group by credential_sha256, subject
    ) as i
        on i.credential_sha256 = coalesce(p.credential_sha256, lower(left(p.peer_cert_sha256, 32)))
        and i.subject = coalesce(p.verified_caller, p.peer_id)
)
select p.*, l.* exclude (shape)
from looked_up as l
join dated as p using (shape)
