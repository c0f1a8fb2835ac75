-- Resources that the lake does not have yet.
-- reads: resources
insert into lake.main.resources by name
select * exclude (load_id)
from bindtrace.main.resources
anti join lake.main.resources as known using (resource_id)
