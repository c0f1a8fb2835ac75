-- Unattested telemetry: a service that proved who it is sent spans that say they are another's.
-- severity: low
-- category: identity
-- status: preview, since 0.1
-- kind: subjects
-- reads: spans, identities, services
-- parameters: since, until, environment
-- message: {caller} sent {spans} as if {callee} had ({exporter}), so that what they say of {callee} is a claim of {caller}.
-- why: a service that writes the telemetry of another can hide its calls, or put blame on it.
-- fix: let {callee} export with its own certificate; where {caller} sends on for others, say so: [services.{caller}] forwarder = true.
-- remedy: let the callee export with its own certificate; where the sender sends on for others, say so: [services.NAME] forwarder = true.
-- check: bindtrace findings --rule unattested-telemetry --callee {callee} --since 10m
-- may be wrong when: the two names are one service (map them under [services.NAME] match in bindtrace.toml).
with others as (
    select
        resource_id,
        scope,
        service,
        environment,
        exporter,
        exporter_service(exporter) as sender,
        exporter_environment(exporter) as sender_env
    from identities
    where unattested and exporter_service(exporter) not in (select service from services where forwarder)
)
select
    any_value(o.scope) as scope,
    o.sender as caller,
    o.sender_env as caller_env,
    o.service as callee,
    o.environment as callee_env,
    -- the certificate says who sent them
    'verified' as grade,
    count(*) as "count",
    min(s.start_time_unix_nano) as first_seen,
    max(s.start_time_unix_nano) as last_seen,
    trace_hex(arg_max(s.trace_id, s.start_time_unix_nano)) as trace_id,
    [span_hex(arg_max(s.span_id, s.start_time_unix_nano))] as span_ids,
    json_object(
        'spans', format('{} span{}', count(*), case when count(*) = 1 then '' else 's' end),
        'exporter', any_value(o.exporter)
    ) as evidence
from spans as s
join others as o using (resource_id)
where
    s.start_time_unix_nano >= $since
    and s.start_time_unix_nano < $until
    and in_environment($environment, o.sender_env, o.environment)
group by o.sender, o.sender_env, o.service, o.environment
