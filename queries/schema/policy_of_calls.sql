-- Policy of calls: which revisions judge a call: those of its deployment where a manifest names it, else those of its time.
-- reads: manifests, policy_periods, service_revisions
create or replace view policy_of_calls as
with in_force as (
    select p.since_unix_nano as period, m.revision, m.platform, m.scope, m.file
    from policy_periods as p
    join manifests as m
        on m.in_force_from_unix_nano <= p.since_unix_nano
        and coalesce(m.in_force_until_unix_nano, 18446744073709551615) > p.since_unix_nano
),
deployed as (
    select distinct deployment, revision, platform, scope from manifests where deployment is not null
)
select period, null::varchar as deployment, revision, platform, scope
from in_force
union
select p.since_unix_nano, d.deployment, d.revision, d.platform, d.scope
from policy_periods as p
cross join deployed as d
union
-- what a deployment's own manifest does not speak of was said by the others of that time
select f.period, d.deployment, f.revision, f.platform, f.scope
from in_force as f
cross join (select distinct deployment from deployed) as d
where not exists (
    -- one manifest replaces another where both speak of one service: a Worker's version is of that Worker only
    from deployed as own
    join service_revisions as its on its.revision = own.revision
    join service_revisions as others on others.revision = f.revision and others.service = its.service
    where own.deployment = d.deployment and own.platform = f.platform and own.scope = f.scope
);
