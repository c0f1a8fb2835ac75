-- Graded: every call with what the manifests say of it, and what it showed of a public road.
-- reads: placed, attempts, declared, services, exposures, nodes
create or replace temp view graded as
with opened as (
    -- which public paths lead to which service, once per path
    select distinct e.callee_service, e.scope, e.url_path
    from (select distinct callee_service, scope, url_path from placed where caller is null) as e
    left join exposures as x
        on x.service = e.callee_service
        and (x.scope = '' or e.scope is null or x.scope = e.scope)
        and regexp_full_match(coalesce(e.url_path, '/'), x.pattern)
    left join services as d on d.service = e.callee_service and d.exposure = 'public'
    where x.service is not null or d.service is not null
),
known as (
    select service from services
    union
    select service from nodes
)
select
    p.*,
    d.granted_binding,
    d.grant_file,
    d.grant_line,
    coalesce(
        p.callee_service,
        p.db_name, p.db_system,
        p.messaging_destination, p.messaging_system,
        p.target_host, p.peer_service
    ) as callee,
    p.via <> [] as through_edge,
    coalesce(p.name_road = 'public', false)
        -- split horizon: a public name that resolved to a private address stays inside
        and coalesce(p.peer_class not in ('private', 'link_local', 'shared'), true) as public_name,
    coalesce(p.peer_class = 'global', false) as public_address,
    d.grant_line is not null as granted,
    d.caller is not null or d.callee_service is not null as policed,
    o.callee_service is not null as entry_declared,
    known.service is not null as claim_known,
    a.attempts as tries,
    a.first_start,
    a.duration_nano as tries_nano,
    first_of_each(a.evidence) as tries_evidence
from placed as p
left join declared as d
    on d.caller is not distinct from p.caller
    and d.callee_service is not distinct from p.callee_service
    and d.scope is not distinct from p.scope
    and d.callee_env is not distinct from p.callee_env
left join opened as o
    on o.callee_service = p.callee_service
    and o.scope is not distinct from p.scope
    and o.url_path is not distinct from p.url_path
left join known on known.service = p.claimed_caller
left join attempts as a using (trace_id, anchor_span_id, answered)
-- the last try stands for all
where a.trace_id is null
    or (a.head_trace_id, a.head_anchor_span_id, a.head_answered) = (a.trace_id, a.anchor_span_id, a.answered)
