-- Depth: what lies deeper in a trace than the walk goes, or in a circle longer than that, begins anew at every span.
-- reads: nodes, walk
-- why: nobody's calls are a thousand deep, but a sender's mistake is; each level costs a step. Run only where the walk
--      left spans behind, before the circles are cut.
update nodes
set parent = null, orphan = true
from (
    with lost as (
        select node, parent, trace from nodes anti join walk using (node)
    )
    select lost.node
    from lost
    semi join (
        select lost.trace from lost join walk on walk.node = lost.parent
        union
        select trace from lost group by trace having count(*) > 1024
    ) as deep using (trace)
) as cut
where nodes.node = cut.node
