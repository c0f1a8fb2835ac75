-- Known hosts: what manifests, platforms and the services' own resources say of host names.
-- reads: hosts, resources, host_classes
-- why: a deployment's own public host, pasted where a binding belongs, is public although no manifest names it.
-- source: vercel.com/docs/deployments/generated-urls; developers.cloudflare.com/workers/configuration/routing/workers-dev
create or replace temp table known_hosts as
with told as (
    select distinct
        r.service,
        json_exists(r.attributes, '$."bindtrace.hosts"') as own,
        lower(trim(unnest(
            coalesce(
                try_cast(try_cast(json_extract_string(r.attributes, '$."bindtrace.hosts"') as json) as varchar[]),
                string_split(json_extract_string(r.attributes, '$."bindtrace.hosts"'), ','),
                [r.attributes ->> '$."vercel.host"', r.attributes ->> '$."vercel.branch_host"']
            )
        ))) as host
    from resources as r
    where r.hosts is not null
)
select host, service, road, false as platform_domain
from hosts
union all
-- `bindtrace.hosts` are a service's own, public or internal by their class
select t.host, t.service, case when c.class = 'global' then 'public' else 'private' end, false
from told as t
join host_classes as c on t.host in (c.host, c.bare)
where t.own
union all
-- a deployment's hosts lead to all of its services
select distinct host, null, 'public', false
from told
where not own and host is not null
union all
select *
from (values ('*.vercel.app', null, 'public', true), ('*.workers.dev', null, 'public', true))
