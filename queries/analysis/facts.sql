-- Facts: every shape of call with its road and protection, its grade, and what the decision needs to know of it.
-- reads: graded
create or replace temp table facts as
select
    g.shape,
    g.via,
    g.pairing,
    g.scope,
    g.caller,
    g.caller_env,
    g.caller_deployment,
    g.callee,
    g.callee_env,
    g.callee_deployment,
    g.claimed_caller,
    g.claimed_callee,
    coalesce(g.used_host, g.target_host, g.server_host) as server_host,
    g.grant_file,
    g.grant_line,
    g.resends,
    list_concat(
        g.marks,
        case when g.caller_outside then ['caller-outside'] end,
        case when g.by_probe then ['probe'] end,
        case when g.never_issued then ['never-issued'] end,
        case when g.issued_for_another then ['issued-for-another'] end
    ) as marks,
    case
        when g.db_system is not null then 'database'
        when g.message then 'message'
        when g.callee_service is null then 'external'
        else 'call'
    end as kind,
    coalesce(g.binding_name, g.granted_binding) as binding,
    case
        when g.caller is null and (g.through_edge or g.from_outside) then 'public'
        when g.through_edge or g.public_name or g.by_egress then 'public'
        when g.binding_name is not null and g.callee_service is not null then 'binding'
        when g.name_road = 'private' then case when g.granted then 'binding' else 'private' end
        when g.public_address or g.target_class in ('global', 'declared_public', 'egress') then 'public'
        when g.caller is null then 'unknown'
        when g.caller_outside then 'public'
        when coalesce(g.used_class, g.target_class)
            in ('private', 'loopback', 'link_local', 'shared', 'internal_name', 'declared_internal')
            then 'private'
        when g.peer_class in ('private', 'link_local', 'shared', 'declared_internal') then 'private'
        else 'unknown'
    end as road,
    case
        when (g.through_edge or g.by_egress or g.from_outside) and (g.public_name or g.public_address) then 'confirmed'
        when g.through_edge and g.caller is null then 'confirmed'
        when g.public_name and g.public_address then 'probable'
        when g.through_edge or g.by_egress or g.public_name or g.public_address or g.from_outside then 'suspected'
    end as public_confidence,
    g.protection,
    case
        when g.claim_differs or g.credential_differs or g.never_issued or g.issued_for_another then 'contradicted'
        -- joined by a key and not by its parent
        when g.joined then 'inferred'
        -- what the callee says it verified is worth what its sender is: another's word
        when list_contains(g.marks, 'unattested') then 'claimed'
        when g.verified_identity is not null and g.issued
            and (g.peer_identity = g.verified_identity or g.proof_agrees)
            then 'proven'
        when g.verified_identity is not null or g.peer_service_proven is not null then 'verified'
        when g.caller is null and not g.through_edge then 'inferred'
        else 'claimed'
    end as grade,
    g.verified_identity,
    g.peer_identity,
    g.caller_scope,
    g.granted_road,
    g.authz_decision,
    g.assurance,
    g.guarded_at,
    g.claims_outside,
    coalesce(g.authz_reason, 'none') as fact_receiver,
    case when g.policed then 'present' else 'absent' end as fact_manifest,
    case
        when g.caller = 'unknown_service' then 'unknown'
        when g.caller_outside then 'external'
        when g.caller is not null then 'service'
        when g.through_edge or g.from_outside then 'external'
        else 'unknown'
    end as fact_caller,
    case
        when g.callee_service = 'unknown_service' then 'unknown'
        when g.callee_service is not null then 'service'
        when g.db_system is not null or g.messaging_system is not null
            or g.target_class in ('global', 'declared_public', 'egress')
            then 'outside'
        else 'unknown'
    end as fact_callee,
    g.grant_says as fact_grant,
    case
        when g.caller is not null and not g.caller_outside then 'unknown'
        when g.entry_declared then 'declared'
        when g.through_edge or g.from_outside or g.caller_outside then 'undeclared'
        else 'unknown'
    end as fact_entry
from graded as g
