-- Evidence: the spans that saw a call, caller's side first, where they are more than one of either side.
-- reads: calls, unanswered, nodes, proxied, beside
-- why: most calls were seen by the two spans that they join; `store` lists these without a table.
create or replace temp table evidence as
with pieces as (
    select c.call, c.answered, c.half_node, c.other_client, c.last_client, c.last_proxy, c.edge_spans,
        c.entry_node, c.app_node, c.own_node, b.spans as beside
    from calls as c
    left join beside as b on b.node = c.anchor and b.answered = c.answered
    left join proxied as p on p.node = c.own_node
    where
        c.half_node is not null or c.other_client is not null or c.last_proxy is not null or c.edge_spans is not null
        or c.app_node is not null or b.node is not null or p.node is not null or (not c.answered and c.own_node is null)
        or (not c.answered and c.last_client is not null)
),
halves as (
    -- the other half of a joined call is what was a call alone
    select p.call, u.node, nullif(u.first_client, u.last_client) as other_client, u.last_client, u.last_proxy, u.edge_spans
    from pieces as p
    join unanswered as u on u.node = p.half_node
),
names as (
    select node, span_id
    from nodes
    semi join (
        select unnest([half_node, other_client, last_client, entry_node, app_node, own_node]) as node from pieces
        union all
        select unnest([other_client, last_client]) from halves
    ) using (node)
),
alone as (
    -- of a call whose callee was not seen: what led to it below an edge, itself behind its sidecars, those below it
    select
        a.call,
        list_filter([other.span_id, last.span_id], lambda span: span is not null)
        || coalesce(led.spans, [])
        || coalesce(a.edge_spans, [])
        || coalesce(own.spans, [n.span_id])
        || coalesce(b.spans, []) as spans
    from (
        select call, node, other_client, last_client, last_proxy, edge_spans from halves
        union all
        select call, own_node, other_client, last_client, last_proxy, edge_spans from pieces where own_node is not null
    ) as a
    join names as n on n.node = a.node
    left join names as other on other.node = a.other_client
    left join names as last on last.node = a.last_client
    left join proxied as led on led.node = a.last_proxy
    left join proxied as own on own.node = a.node
    left join beside as b on b.node = a.node and not b.answered
)
select
    p.call,
    case
        when p.own_node is not null then alone.spans
        else
            coalesce(alone.spans, list_filter([half.span_id], lambda span: span is not null))
            || list_filter([other.span_id, last.span_id], lambda span: span is not null)
            || coalesce(led.spans, [])
            || coalesce(p.edge_spans, [])
            || list_filter([entry.span_id], lambda span: span is not null)
            || coalesce(p.beside, [])
            || list_filter([app.span_id], lambda span: span is not null)
    end as spans
from pieces as p
left join alone using (call)
left join names as half on half.node = p.half_node
left join names as other on other.node = p.other_client
left join names as last on last.node = p.last_client
left join names as entry on entry.node = p.entry_node
left join names as app on app.node = p.app_node
left join proxied as led on led.node = p.last_proxy
