-- Kept: of spans that came more than once the first stays, and each of those that share one id becomes a node.
-- reads: copies, nodes, traits, touched, oddities
-- why: run after `copies`, for its few spans only. A child of a shared id belongs to the one that serves it, if that is
--      its own service.
delete from nodes
where (trace, span_id) in (select (trace, span_id) from copies) and node not in (select node from copies);
update nodes
set parent = c.node
from (
    select n.node as child, coalesce(min(own.node), any_value(c.first_node)) as node
    from nodes as n
    join traits as k using (trait)
    join (select distinct resolved, first_node from copies) as c on c.resolved = n.parent
    left join copies as own on own.resolved = n.parent and own.place > 1 and own.service = k.service
    group by n.node
) as c
where nodes.node = c.child;
update nodes
set
    span_id = case
        when c.place = 1 then c.span_id
        else md5_number_lower(t.trace_id || ':' || c.span_id || ':' || c.place)
    end,
    parent = case when c.place > 1 and c.serving and c.has_client then c.first_node else nodes.parent end,
    orphan = nodes.orphan and not (c.place > 1 and c.serving and c.has_client)
from copies as c
join touched as t using (trace)
where nodes.node = c.node;
insert into oddities
select node, span_id, place > 1, conflict, false
from copies
where place > 1 or conflict
