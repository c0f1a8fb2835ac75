-- Browsers: what runs in its users' browsers is outside, also where no manifest says so.
-- reads: identities, outsiders
-- only where: select 1 from resources where contains(attributes, 'webjs')
insert into outsiders
select distinct service
from identities
anti join outsiders using (service)
where outside and service is not null
