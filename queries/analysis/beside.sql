-- Beside: the spans of sidecars that saw a call as well, of its callee's side (answered) or below its client span.
-- reads: walk, nodes, leads, unanswered
create or replace temp table beside as
with sidecars as (
    select w.node, w.visit, w.last_client, w.depth, not w.app_seen and w.node <> w.visit as before_app
    from walk as w
    where w.proxy and w.kind in (2, 3, 4, 5)
),
placed_at as (
    select visit as node, true as answered, s.node as span, depth
    from sidecars as s
    anti join leads as l on l.node = s.node
    anti join unanswered as u on u.node = s.node
    where before_app
    union all
    select last_client, false, s.node, depth
    from sidecars as s
    semi join unanswered as u on u.node = s.last_client
)
select p.node, p.answered, list(n.span_id order by p.depth, p.span) as spans
from placed_at as p
join nodes as n on n.node = p.span
group by p.node, p.answered
