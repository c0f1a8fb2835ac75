-- Span conflicts, of the collector's own file and of the lake.
-- reads: span_conflicts, recalled, sealing (and the lake's span_conflicts)
create or replace view memory.main.span_conflicts as
select * from bindtrace.main.span_conflicts
union all by name
select
    sealed.* exclude (seal, day)
from lake.main.span_conflicts as sealed
anti join bindtrace.main.recalled using (trace_id)
anti join bindtrace.main.sealing using (seal)
