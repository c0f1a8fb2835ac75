-- Identities: which service each resource is, by its own attributes and by what bindtrace.toml maps them to.
-- reads: resources, service_matches, services, meta
-- why: named in one place, and named anew when the settings change, without touching a span.
create or replace view identities as
select
    r.resource_id,
    coalesce(any_value(m.service), any_value(r.service)) as service,
    coalesce(any_value(r.scope), (select any_value(value) from meta where key = 'scope')) as scope,
    -- a service of which manifests know one environment is of that one, where its telemetry does not say
    coalesce(any_value(r.environment), any_value(e.environment)) as environment,
    any_value(r.deployment) as deployment,
    any_value(r.platform) as platform,
    -- a browser is at its user's, whatever it calls itself
    coalesce(bool_or(json_extract_string(r.attributes, '$."telemetry.sdk.language"') = 'webjs'), false) as outside,
    coalesce(bool_or(m.role = 'edge'), false) as edge,
    coalesce(bool_or(r.sdk = 'envoy'), false) as proxy,
    any_value(json_extract_string(r.attributes, '$."bindtrace.exporter"')) as exporter,
    -- a workload that proved to be another than its telemetry says
    coalesce(exporter_environment(exporter) is not null, false)
        and coalesce(
            exporter_service(exporter) <> coalesce(any_value(m.service), any_value(r.service))
            or exporter_environment(exporter) <> coalesce(any_value(r.environment), any_value(e.environment)),
            false
        ) as unattested
from resources as r
left join service_matches as m on json_extract_string(r.attributes, json_pointer(m.attribute)) = m.value
left join (
    select service, any_value(environment) as environment
    from services
    group by service
    having count(*) = count(environment) and count(distinct environment) = 1
) as e on e.service = coalesce(m.service, r.service)
group by r.resource_id;
