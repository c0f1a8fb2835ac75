-- Keys: what the spans at the open ends of calls carry that a span of another trace may carry as well.
-- parameters: first_load, last_load (of the touched traces)
-- reads: nodes, spans, entered, unanswered
-- why: most spans carry none, and then `halves` has nothing to do.
create or replace temp view began as
select visit, app_node, edge_node, coalesce(app_node, visit) as node, kind from entered where caller_visit is null;
create or replace temp view left_open as
select node, visit from unanswered where not edge;
create or replace temp table keys as
select
    n.node, s.claimed_chain, s.claimed_hop, request_key(s.request_id) as request_id, s.proof_sha256 as proof,
    case when s.kind in (2, 5) then links_with_edge(s.links, s.edge_traceparent) end as links
from spans as s
join nodes as n on n.arrival = s.rowid
semi join (
    select unnest([visit, app_node, edge_node]) as node from began
    union all
    select unnest([node, visit]) from left_open
) as sides on sides.node = n.node
where
    s.load_id >= $first_load
    and s.load_id <= $last_load
    and (
        s.claimed_hop is not null or s.request_id is not null or s.proof_sha256 is not null or s.links is not null
        or s.edge_traceparent is not null
    )
