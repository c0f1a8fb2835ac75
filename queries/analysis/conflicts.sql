-- Conflicts: which spans of the touched traces came with more than one content.
-- parameters: first_load, last_load (of the touched traces)
-- reads: touched, nodes, spans
delete from span_conflicts where trace_id in (select trace_id from touched);
insert into span_conflicts
select n.trace_id, n.own_span_id as span_id, n.host as resource_id, max(s.received_unix_nano) as received_unix_nano
from (select trace_id, own_span_id, host from nodes where conflict) as n
join spans as s on s.trace_id = n.trace_id and s.span_id = n.own_span_id
where s.load_id >= $first_load and s.load_id <= $last_load
group by n.trace_id, n.own_span_id, n.host
