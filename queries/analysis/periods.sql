-- Periods: when which policy was in force, the revisions that calls are judged by, what these ask, and who is outside.
-- reads: policy_periods, manifests, grant_revisions, policy_revisions, services, exposure_revisions, probes
-- why: of a request's path, host and the like only what some policy asks for tells two calls apart. What few systems have
--      is not planned here: manifests of one deployment (`deployed`), telemetry from browsers (`browsers`).
create or replace temp table periods as
select * from policy_periods;
create or replace temp table judged_by as
select distinct p.since_unix_nano as period, '' as deployment, m.revision
from periods as p
join manifests as m
    on m.in_force_from_unix_nano <= p.since_unix_nano
    and coalesce(m.in_force_until_unix_nano, 18446744073709551615) > p.since_unix_nano;
-- of every time: so `deployed`, which comes later, adds no revision that asks for more
create or replace temp table asked as
select
    coalesce(bool_or(field = 'method'), false) as method,
    coalesce(bool_or(field = 'path'), false) as path,
    coalesce(bool_or(field in ('host', 'port', 'port_name', 'listener_port')), false) as host,
    coalesce(bool_or(field = 'source_address'), false) as address,
    count(*) > 0 as anything,
    -- whether anything is decided by the path that somebody from outside asks for
    exists (select 1 from exposure_revisions) or exists (select 1 from probes where paths <> []) as entries
from (
    select 'method' as field from grant_revisions semi join judged_by using (revision) where methods <> []
    union
    select 'path' from grant_revisions semi join judged_by using (revision) where paths <> []
    union
    select '' from policy_revisions semi join judged_by using (revision)
    union
    select unnest(asks) from policy_revisions semi join judged_by using (revision)
);
create or replace temp table outsiders as
-- what runs at its users' calls from there, whatever its name
select distinct service from services where outside
