-- Recalled: what the lake has of late traces is void from now on.
-- reads: late (and the lake's spans)
insert into bindtrace.main.recalled
select trace_id, count(*)
from lake.main.spans
semi join late using (trace_id)
group by trace_id
