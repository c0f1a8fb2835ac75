-- Calls: one row each, with the numbers of the spans that saw it; not yet named, placed or judged.
-- reads: walk, visits, entered, unanswered, siblings, halves, nodes, oddities
-- why: `call` is the number of the span that it hangs on, doubled, and odd where the callee was seen.
create or replace temp table calls as
select
    e.visit * 2 + 1 as call,
    e.trace,
    true as answered,
    e.visit as anchor,
    coalesce(h.trace, e.trace) as caller_trace,
    coalesce(h.caller_visit, case when not disputed then e.caller_visit end) as caller_visit,
    coalesce(h.caller_trait, case when not disputed then e.caller_trait end) as caller_trait,
    coalesce(h.caller_node, case when not disputed then e.caller_node end) as caller_node,
    e.visit as entry_node,
    e.only_calls,
    e.trait as entry_trait,
    case when e.app_node <> e.visit then e.app_node end as app_node,
    null::integer as target_node,
    null::integer as own_node,
    e.edge_node,
    e.via,
    -- what is evidence of it, for `evidence`
    not disputed and (h.visit is null or e.caller_visit is null) as own_side,
    h.caller_node as half_node,
    case when own_side then nullif(e.first_client, e.last_client) end as other_client,
    case when own_side then e.last_client end as last_client,
    case when own_side then e.last_proxy end as last_proxy,
    case when own_side then e.edge_spans end as edge_spans,
    case
        when h.visit is not null then h.pairing
        when e.caller_visit is null or disputed then 'none'
        when e.parent = e.caller_node and e.visit in (select node from oddities where shared) then 'shared-id'
        when e.caller_node is not null then 'parent'
        else 'remote-ancestor'
    end as pairing,
    e.orphan and h.visit is null as orphan,
    coalesce(h.pairing <> 'link', false) as joined,
    coalesce(h.pairing = 'remote-ancestor', false) or disputed as twice_sent
from (
    select e.*, s.visit is not null and s.caller_node is null as disputed
    from entered as e
    left join siblings as s using (visit)
) as e
left join (
    select h.*, w.trace, w.visit as caller_visit, w.visit_trait as caller_trait
    from walk as w
    join halves as h on h.caller_node = w.node
) as h on h.visit = e.visit
union all by name
select
    u.node * 2 as call,
    u.trace,
    false as answered,
    u.node as anchor,
    u.trace as caller_trace,
    u.caller_visit,
    u.caller_trait,
    u.caller_node,
    false as only_calls,
    u.node as target_node,
    u.edge_node,
    u.via,
    u.node as own_node,
    nullif(u.first_client, u.last_client) as other_client,
    u.last_client,
    u.last_proxy,
    u.edge_spans,
    'none' as pairing,
    u.orphan,
    false as joined,
    false as twice_sent
from unanswered as u
anti join halves as h on h.caller_node = u.node
union all by name
-- a request that reached two services, of which neither can be told to be its callee, was a call all the same
select *
from (
    select distinct on (e.caller_node)
        e.caller_node * 2 as call,
        e.trace,
        false as answered,
        e.caller_node as anchor,
        e.trace as caller_trace,
        e.caller_visit,
        e.caller_trait,
        e.caller_node,
        false as only_calls,
        e.caller_node as target_node,
        e.edge_node,
        e.via,
        nullif(e.first_client, e.last_client) as other_client,
        e.last_client,
        e.last_proxy,
        e.edge_spans,
        'none' as pairing,
        false as orphan,
        false as joined,
        true as twice_sent
    from siblings as s
    join entered as e using (visit)
    where s.caller_node is null and e.caller_node is not null
    order by e.caller_node, e.visit
)
