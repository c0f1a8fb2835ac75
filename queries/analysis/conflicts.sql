-- Conflicts: which spans of the touched traces came with more than one content.
-- parameters: first_load, last_load (of the touched traces)
-- reads: touched, traits, nodes, spans
delete from span_conflicts where trace_id in (select trace_id from touched);
insert into span_conflicts
select t.trace_id, n.own_span_id as span_id, k.resource_id, max(s.received_unix_nano) as received_unix_nano
from (select trace, trait, own_span_id from nodes where conflict) as n
join traits as k on k.trait = n.trait
join touched as t on t.trace = n.trace
join spans as s on s.trace_id = t.trace_id and s.span_id = n.own_span_id
where s.load_id >= $first_load and s.load_id <= $last_load
group by t.trace_id, n.own_span_id, k.resource_id
