-- Spoken of: each pair of services that was seen, once per policy, and every grant that is for it.
-- reads: dated, judged_by, grant_revisions
create or replace temp table pairs as
select *, row_number() over () as pair
from (
    select
        caller, callee_service, caller_scope, scope, caller_env, callee_env, message, period, policy_deployment,
        list(shape) as shapes
    from dated
    group by all
);
create or replace temp table spoken_of as
select
    p.pair,
    g.binding,
    g.file,
    g.line,
    g.road,
    g.methods,
    g.paths,
    g.methods = [] and g.paths = [] as for_all
from pairs as p
join judged_by as j on j.period = p.period and j.deployment = p.policy_deployment
join grant_revisions as g
    on g.revision = j.revision
    -- a policy of a mesh rules by itself
    and not g.ruled
    and g.action = 'allow'
    and g.callee in (p.callee_service, '*')
    and g.caller in (p.caller, '*')
    and (g.scope = '' or p.caller_scope is null or g.scope = p.caller_scope)
    and (coalesce(g.callee_scope, g.scope) = '' or p.scope is null or coalesce(g.callee_scope, g.scope) = p.scope)
    and (g.environment is null or g.environment in (p.caller_env, p.callee_env))
    and (g.kind <> 'message' or p.message)
