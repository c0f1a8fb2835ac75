-- Cycles: where parents lead in a circle, the earliest span of the circle becomes its root.
-- reads: nodes, walk
-- why: a circle has no root, so nothing of it would be seen; run only where the walk left spans behind.
update nodes
set parent_span_id = null, cycle = true
from (
    with recursive lost as (
        select trace_id, span_id, parent_span_id, start_time_unix_nano
        from nodes
        anti join walk using (trace_id, span_id)
    ),
    above as (
        select trace_id, span_id, parent_span_id as ancestor from lost
        union
        select a.trace_id, a.span_id, l.parent_span_id
        from above as a
        join lost as l on l.trace_id = a.trace_id and l.span_id = a.ancestor
    ),
    circle as (
        select trace_id, span_id from above where ancestor = span_id
    ),
    round as (
        -- every member of a circle has all of its members above it
        select c.trace_id, c.span_id, min((l.start_time_unix_nano, l.span_id)) as earliest
        from circle as c
        join above as a using (trace_id, span_id)
        join lost as l on l.trace_id = a.trace_id and l.span_id = a.ancestor
        group by c.trace_id, c.span_id
    )
    select l.trace_id, l.span_id
    from round as r
    join lost as l using (trace_id, span_id)
    where (l.start_time_unix_nano, l.span_id) = r.earliest
) as cut
where nodes.trace_id = cut.trace_id and nodes.span_id = cut.span_id
