-- Declared: what the manifests say of each pair of services that was seen, once per pair and policy, not per call.
-- reads: dated, judged_by, service_revisions, grant_revisions, default_revisions
create or replace temp table declared as
with pairs as (
    select distinct
        caller, callee_service, caller_scope, scope, caller_env, callee_env, message, period, policy_deployment
    from dated
),
policed as (
    -- the services of which a manifest says who may call them; a bare host list is no policy
    select j.period, j.deployment, m.scope, m.service
    from service_revisions as m
    join judged_by as j using (revision)
    where m.platform <> 'bindtrace'
    union
    select j.period, j.deployment, m.scope, unnest([m.caller, m.callee])
    from grant_revisions as m
    join judged_by as j using (revision)
    union
    select j.period, j.deployment, m.scope, m.service
    from default_revisions as m
    join judged_by as j using (revision)
    where m.service is not null
),
subjects as (
    select p.*
    from pairs as p
    where exists (
        select 1
        from policed as m
        where
            m.service in (p.caller, p.callee_service)
            and m.period = p.period
            and m.deployment = p.policy_deployment
            and (m.scope = '' or m.scope in (coalesce(p.scope, m.scope), coalesce(p.caller_scope, m.scope)))
    )
),
spoken_of as (
    select
        p.*,
        g.binding,
        g.file,
        g.line,
        g.road,
        g.action = 'allow' and g.methods = [] and g.paths = [] and g.caller_id is null and g.protection is null
            as plain
    from pairs as p
    join judged_by as j on j.period = p.period and j.deployment = p.policy_deployment
    join grant_revisions as g
        on g.revision = j.revision
        and (g.callee = p.callee_service or g.callee = '*')
        and (g.caller = p.caller or g.caller = '*')
        and (g.scope = '' or p.caller_scope is null or g.scope = p.caller_scope)
        and (coalesce(g.callee_scope, g.scope) = '' or p.scope is null or coalesce(g.callee_scope, g.scope) = p.scope)
        and (g.environment is null or g.environment in (p.caller_env, p.callee_env))
        and (g.kind <> 'message' or p.message)
),
granted as (
    select
        caller, callee_service, caller_scope, scope, caller_env, callee_env, message, period, policy_deployment,
        arg_min(binding, line) filter (plain) as granted_binding,
        arg_min(file, line) filter (plain) as grant_file,
        min(line) filter (plain) as grant_line,
        arg_min(road, line) filter (plain) as granted_road
    from spoken_of
    group by all
)
select s.*, g.granted_binding, g.grant_file, g.grant_line, g.granted_road
from subjects as s
left join granted as g
    on g.caller is not distinct from s.caller
    and g.callee_service is not distinct from s.callee_service
    and g.caller_scope is not distinct from s.caller_scope
    and g.scope is not distinct from s.scope
    and g.caller_env is not distinct from s.caller_env
    and g.callee_env is not distinct from s.callee_env
    and g.message = s.message
    and g.period = s.period
    and g.policy_deployment = s.policy_deployment
