-- Bounds: between which loads the spans of some traces are, and the last load that was analysed.
-- parameters: traces (UUIDs)
-- reads: traces, analysis
-- why: ids are random, so a question by id alone reads the ids of all of history; loads are in the order of time. A trace
--      that is not known here may be sealed, and what is sealed has load 0.
select
    case when count(distinct trace_id) = len(list_distinct($traces::uuid[])) then min(first_load_id) else 0 end as first_load,
    coalesce(max(last_load_id), 0) as last_load,
    (select coalesce(max(load_id), 0) from analysis) as analysed
from traces
where trace_id in (select unnest($traces::uuid[]))
