-- Services: who was seen or declared, how much it calls and is called, and whether the outside may reach it.
-- parameters: since, until, environment
-- reads: hops, spans, identities, services, exposures
with seen as (
    select
        coalesce(n.service, 'unknown_service') as service,
        n.environment,
        any_value(n.scope) as scope,
        any_value(n.platform) as platform,
        count(*) as spans,
        min(s.start_time_unix_nano) as first_seen,
        max(s.start_time_unix_nano) as last_seen
    from spans as s
    join identities as n using (resource_id)
    where s.start_time_unix_nano >= $since and s.start_time_unix_nano < $until
    group by all
),
calls as (
    select service, environment, sum(calls_in) as calls_in, sum(calls_out) as calls_out
    from (
        select callee as service, callee_env as environment, 1 as calls_in, 0 as calls_out, start_time_unix_nano
        from hops
        where kind in ('call', 'message')
        union all
        select caller, caller_env, 0, 1, start_time_unix_nano from hops
    )
    where service is not null and start_time_unix_nano >= $since and start_time_unix_nano < $until
    group by service, environment
),
declared as (
    select
        d.service,
        nullif(any_value(d.scope), '') as scope,
        any_value(d.platform) as platform,
        coalesce(any_value(d.exposure), case when bool_or(x.service is not null) then 'public' else 'internal' end)
            as exposure
    from services as d
    left join exposures as x on x.service = d.service and x.scope in ('', d.scope)
    group by d.service
)
select
    coalesce(seen.scope, declared.scope) as scope,
    service,
    coalesce(seen.platform, declared.platform) as platform,
    seen.environment,
    coalesce(seen.spans, 0) as spans,
    coalesce(calls.calls_in, 0)::bigint as calls_in,
    coalesce(calls.calls_out, 0)::bigint as calls_out,
    coalesce(declared.exposure, 'unknown') as exposure,
    seen.first_seen::varchar as first_seen,
    seen.last_seen::varchar as last_seen
from seen
full join declared using (service)
left join calls
    on calls.service = coalesce(seen.service, declared.service)
    and calls.environment is not distinct from seen.environment
where in_environment($environment, seen.environment, seen.environment)
order by scope, service, environment
