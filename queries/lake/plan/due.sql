-- Due: up to which load the next seal goes, null where none is due.
-- parameters: before, waited (Unix nanoseconds), most_spans
-- reads: spans, traces, analysis
-- why: whole traces only, and only analysed ones: those whose last load was received `before`. A seal is worth a file when
--      it has `most_spans`, or when one of its loads was received before `waited`.
with bounds as (
    select
        (select coalesce(max(load_id), 0) from bindtrace.main.analysis) as analysed,
        (select coalesce(max(load_id), 0) from bindtrace.main.spans) as newest,
        (select min(load_id) from bindtrace.main.spans where received_unix_nano >= $before) as open_load,
        (select min(load_id) from bindtrace.main.spans where received_unix_nano >= $waited) as young_load
),
closed as (
    select
        last_load_id as load_id,
        sum(count(*)) over (order by last_load_id)
            * (select count(*) from bindtrace.main.spans)
            / (select count(*) from bindtrace.main.traces) as spans
    from bindtrace.main.traces
    where last_load_id <= (select least(analysed, coalesce(open_load - 1, newest)) from bounds)
    group by last_load_id
)
select coalesce(max(load_id) filter (spans <= $most_spans), min(load_id)) as upto
from closed
having max(spans) >= $most_spans or min(load_id) <= (select coalesce(young_load - 1, newest) from bounds)
