-- Bounds: between which loads the spans of some traces are, and the last load that was analysed.
-- parameters: traces (UUIDs)
-- reads: traces, analysis
-- why: ids are random, so a question by id alone reads the ids of all of history; loads are in the order of time.
select
    coalesce(min(first_load_id), 0) as first_load,
    coalesce(max(last_load_id), 0) as last_load,
    (select coalesce(max(load_id), 0) from analysis) as analysed
from traces
where trace_id in (select unnest($traces::uuid[]))
