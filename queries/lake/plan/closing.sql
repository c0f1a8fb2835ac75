-- Closing: the traces of one seal, and which of them the lake has already.
-- parameters: upto
-- reads: traces, recalled
create or replace temp table closing as
select t.trace_id, r.trace_id is not null as again
from bindtrace.main.traces as t
left join bindtrace.main.recalled as r using (trace_id)
where t.last_load_id <= $upto
