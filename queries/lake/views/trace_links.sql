-- Trace links, of the collector's own file and of the lake.
-- reads: trace_links, recalled, sealing (and the lake's trace_links)
create or replace view memory.main.trace_links as
select * from bindtrace.main.trace_links
union all by name
select
    sealed.* exclude (seal, day),
    0::ubigint as load_id
from lake.main.trace_links as sealed
anti join bindtrace.main.recalled using (trace_id)
anti join bindtrace.main.sealing using (seal)
