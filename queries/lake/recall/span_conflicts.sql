-- Span conflicts of late traces, back from the lake.
-- reads: late
insert into bindtrace.main.span_conflicts by name
select * exclude (seal, day)
from lake.main.span_conflicts
semi join late using (trace_id)
