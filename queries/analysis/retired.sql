-- Retired: what the authority's spans of these loads say of deployments, each state once.
-- parameters: after, upto (load ids)
-- reads: spans, instrumentation_scopes, resources
-- only where: select 1 from instrumentation_scopes where name = 'bindtrace.authority'
-- why: that a deployment is no longer to be called nobody knows but who replaced it.
insert into deployment_states
select
    told.subject,
    told.named.service,
    told.named.environment,
    told.named.deployment,
    told.state,
    told.since_s * 1000000000 as since_unix_nano,
    min(told.load_id),
    told.told_by
from (
    select
        json_extract_string(s.attributes, '$."bindtrace.deployment.subject"') as subject,
        json_extract_string(s.attributes, '$."bindtrace.deployment.state"') as state,
        regexp_extract(
            subject, '/env/([^/]+)/service/([^/]+)/deployment/([^/]+)$', ['environment', 'service', 'deployment']
        ) as named,
        try_cast(json_extract_string(s.attributes, '$."bindtrace.deployment.since_s"') as ubigint) as since_s,
        s.load_id,
        exporter_service(json_extract_string(r.attributes, '$."bindtrace.exporter"')) as told_by
    from spans as s
    join instrumentation_scopes as i using (instrumentation_scope_id)
    join (select distinct on (resource_id) resource_id, attributes from resources) as r using (resource_id)
    where s.load_id > $after and s.load_id <= $upto
        and i.name = 'bindtrace.authority'
        and s.name in ('deployment active', 'deployment grace', 'deployment ended')
) as told
anti join deployment_states as known
    on known.subject = told.subject and known.state = told.state and known.since_unix_nano = told.since_s * 1000000000
        and known.told_by is not distinct from told.told_by
where told.state is not null and told.since_s < 10000000000 and told.named.deployment <> ''
group by all
