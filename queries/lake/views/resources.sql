-- Resources, of the collector's own file and of the lake, each once.
-- reads: resources (and the lake's resources)
-- why: spans that other collectors sealed name what this one never saw; two that saw a new one at once both wrote it.
create or replace view memory.main.resources as
select * from bindtrace.main.resources
union all by name
select
    sealed.*,
    0::ubigint as load_id
from (
    select distinct on (resource_id) *
    from lake.main.resources
) as sealed
anti join bindtrace.main.resources using (resource_id)
