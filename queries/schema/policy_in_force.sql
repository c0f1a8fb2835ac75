-- Policy in force: what the manifests declare that were given last.
-- reads: manifests, grant_revisions, default_revisions, exposure_revisions, service_revisions
create or replace view grants as
select *
from grant_revisions
semi join (select revision from manifests where in_force_until_unix_nano is null) using (revision);
create or replace view defaults as
select *
from default_revisions
semi join (select revision from manifests where in_force_until_unix_nano is null) using (revision);
create or replace view exposures as
select *
from exposure_revisions
semi join (select revision from manifests where in_force_until_unix_nano is null) using (revision);
create or replace view services as
select *
from service_revisions
semi join (select revision from manifests where in_force_until_unix_nano is null) using (revision);
