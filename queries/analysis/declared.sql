-- Declared: what the manifests say of each pair of services that was seen, once per pair and not per call.
-- reads: placed, services, grants
create or replace temp table declared as
with pairs as (
    select distinct caller, callee_service, scope, callee_env from placed
),
policed as (
    -- the services of which a manifest says who may call them; a bare host list is no policy
    select scope, service from services where platform <> 'bindtrace'
    union
    select scope, unnest([caller, callee]) from grants
),
subjects as (
    select p.*
    from pairs as p
    where exists (
        select 1
        from policed as m
        where m.service in (p.caller, p.callee_service) and (m.scope = '' or p.scope is null or m.scope = p.scope)
    )
),
granted as (
    select
        p.caller,
        p.callee_service,
        p.scope,
        p.callee_env,
        arg_min(g.binding, g.line) as granted_binding,
        arg_min(g.file, g.line) as grant_file,
        min(g.line) as grant_line
    from pairs as p
    join grants as g
        on g.caller = p.caller
        and g.callee = p.callee_service
        and (g.scope = '' or p.scope is null or g.scope = p.scope)
        and (g.environment is null or g.environment = p.callee_env)
        and g.action <> 'deny'
        and g.callee_scope is null
    group by all
)
select
    subjects.*,
    granted.granted_binding,
    granted.grant_file,
    granted.grant_line
from subjects
left join granted
    on granted.caller is not distinct from subjects.caller
    and granted.callee_service is not distinct from subjects.callee_service
    and granted.scope is not distinct from subjects.scope
    and granted.callee_env is not distinct from subjects.callee_env
