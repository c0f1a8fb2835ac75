-- Cycles: where parents lead in a circle, the earliest span of the circle becomes its root.
-- reads: nodes, walk, oddities
-- why: a circle has no root, so nothing of it would be seen; run only where the walk left spans behind.
create or replace temp table cut as
with recursive lost as (
    select node, parent, start_time_unix_nano
    from nodes
    anti join walk using (node)
),
above as (
    select node, parent as ancestor from lost
    union
    select a.node, l.parent
    from above as a
    join lost as l on l.node = a.ancestor
),
circle as (
    select node from above where ancestor = node
),
round as (
    -- every member of a circle has all of its members above it
    select c.node, min((l.start_time_unix_nano, l.node)) as earliest
    from circle as c
    join above as a using (node)
    join lost as l on l.node = a.ancestor
    group by c.node
)
select l.node
from round as r
join lost as l using (node)
where (l.start_time_unix_nano, l.node) = r.earliest;
update nodes set parent = null where node in (select node from cut);
insert into oddities
select node, span_id, false, false, true
from nodes
semi join cut using (node)
