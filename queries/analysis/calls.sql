-- Calls: one row each, with the spans that saw it; not yet named, placed or judged.
-- reads: walk, entered, unanswered, siblings, halves
create or replace temp table calls as
select
    e.trace_id,
    e.visit as anchor_span_id,
    true as answered,
    coalesce(h.caller_trace_id, e.trace_id) as caller_trace_id,
    coalesce(w.visit, case when not disputed then e.caller_visit end) as caller_visit,
    coalesce(h.caller_span_id, case when not disputed then e.caller_span_id end) as caller_span_id,
    e.visit as entry_span_id,
    case when not e.only_calls then coalesce(e.app_span_id, e.visit) end as app_span_id,
    null::ubigint as target_span_id,
    e.edge_span_id,
    e.via,
    case when h.trace_id is not null then coalesce(u.evidence, [h.caller_span_id]) else [] end
    || case when not disputed and (h.trace_id is null or e.caller_visit is null) then e.caller_evidence else [] end
    || e.callee_evidence as evidence,
    case
        when h.trace_id is not null then h.pairing
        when e.caller_visit is null or disputed then 'none'
        when shares.shared and shares.parent_span_id = e.caller_span_id then 'shared-id'
        when e.caller_span_id is not null then 'parent'
        else 'remote-ancestor'
    end as pairing,
    e.orphan and h.trace_id is null as orphan,
    coalesce(h.pairing <> 'link', false) as joined,
    coalesce(h.pairing = 'remote-ancestor', false) or disputed as twice_sent
from (
    select e.*, s.visit is not null and s.caller_span_id is null as disputed
    from entered as e
    left join siblings as s using (trace_id, visit)
) as e
left join halves as h on h.trace_id = e.trace_id and h.visit = e.visit
join nodes as shares on shares.trace_id = e.trace_id and shares.span_id = e.visit
left join unanswered as u on u.trace_id = h.caller_trace_id and u.span_id = h.caller_span_id
left join walk as w on w.trace_id = h.caller_trace_id and w.span_id = h.caller_span_id
union all by name
select
    u.trace_id,
    u.span_id as anchor_span_id,
    false as answered,
    u.trace_id as caller_trace_id,
    u.caller_visit,
    u.caller_span_id,
    u.span_id as target_span_id,
    u.edge_span_id,
    u.via,
    u.evidence,
    'none' as pairing,
    u.orphan,
    false as joined,
    false as twice_sent
from unanswered as u
anti join halves as h on h.caller_trace_id = u.trace_id and h.caller_span_id = u.span_id
union all by name
-- a request that reached two services, of which neither can be told to be its callee, was a call all the same
select *
from (
    select distinct on (e.trace_id, e.caller_span_id)
        e.trace_id,
        e.caller_span_id as anchor_span_id,
        false as answered,
        e.trace_id as caller_trace_id,
        e.caller_visit,
        e.caller_span_id,
        e.caller_span_id as target_span_id,
        e.edge_span_id,
        e.via,
        e.caller_evidence as evidence,
        'none' as pairing,
        false as orphan,
        false as joined,
        true as twice_sent
    from siblings as s
    join entered as e on e.trace_id = s.trace_id and e.visit = s.visit
    where s.caller_span_id is null and e.caller_span_id is not null
    order by e.trace_id, e.caller_span_id, e.visit
)
