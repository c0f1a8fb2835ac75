-- Resources of late traces that the file has forgotten, or that another collector sealed.
-- parameters: load
-- reads: late
insert into bindtrace.main.resources by name
select distinct on (resource_id) *, $load as load_id
from lake.main.resources
semi join (select resource_id from lake.main.spans semi join late using (trace_id)) as named using (resource_id)
anti join bindtrace.main.resources as known using (resource_id)
