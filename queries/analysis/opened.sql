-- Opened: the shapes of call that enter by a path which leads to their callee for the public.
-- reads: dated, outsiders, judged_by, exposure_revisions, service_revisions
-- why: paths are matched once for each that was entered by, not once a shape.
create or replace temp table opened as
with entries as (
    select callee_service, scope, callee_env, url_path, used_host, period, policy_deployment, list(shape) as shapes
    from dated
    where callee_service is not null and (caller is null or caller in (select service from outsiders))
    group by all
)
select unnest(e.shapes) as shape
from entries as e
join judged_by as j on j.period = e.period and j.deployment = e.policy_deployment
join exposure_revisions as x
    on x.revision = j.revision
    and x.service = e.callee_service
    and (x.scope = '' or e.scope is null or x.scope = e.scope)
    and (x.environment is null or e.callee_env is null or x.environment = e.callee_env)
    and (x.host is null or e.used_host is null or host_matches(e.used_host, x.host))
    and regexp_full_match(coalesce(e.url_path, '/'), x.pattern)
union
select unnest(e.shapes)
from entries as e
join judged_by as j on j.period = e.period and j.deployment = e.policy_deployment
join service_revisions as d
    on d.revision = j.revision and d.service = e.callee_service and d.exposure = 'public'
