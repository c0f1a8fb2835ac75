-- Conflicts: which spans of the touched traces came with more than one content.
-- parameters: first_load, last_load (of the touched traces)
-- reads: touched, traits, nodes, oddities, spans
-- only where: select 1 from oddities where conflict union all select 1 from span_conflicts
delete from span_conflicts where trace_id in (select trace_id from touched);
insert into span_conflicts
select t.trace_id, o.own_span_id as span_id, k.resource_id, max(s.received_unix_nano) as received_unix_nano
from oddities as o
join nodes as n using (node)
join traits as k using (trait)
join touched as t using (trace)
join spans as s on s.trace_id = t.trace_id and s.span_id = o.own_span_id
where o.conflict and s.load_id >= $first_load and s.load_id <= $last_load
group by t.trace_id, o.own_span_id, k.resource_id
