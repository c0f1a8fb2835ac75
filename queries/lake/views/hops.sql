-- Hops, those of the collector's own file and those of the lake, each once.
-- reads: hops, recalled, sealing (and the lake's hops)
-- why: as of spans.
create or replace view memory.main.hops as
select * from bindtrace.main.hops
union all by name
select
    sealed.* exclude (seal, day)
    replace (sealed.corrected_start_unix_nano::hugeint as corrected_start_unix_nano),
    0::ubigint as load_id
from lake.main.hops as sealed
anti join bindtrace.main.recalled using (trace_id)
anti join bindtrace.main.sealing using (seal)
