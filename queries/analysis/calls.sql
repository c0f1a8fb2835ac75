-- Calls: one row each, with the spans that saw it; not yet named, placed or judged.
-- reads: entered, unanswered, halves
create or replace temp table calls as
select
    e.trace_id,
    e.visit as anchor_span_id,
    true as answered,
    coalesce(h.caller_trace_id, e.trace_id) as caller_trace_id,
    coalesce(u.visit, e.caller_visit) as caller_visit,
    coalesce(h.caller_span_id, e.caller_span_id) as caller_span_id,
    e.visit as entry_span_id,
    coalesce(e.app_span_id, e.visit) as app_span_id,
    null::ubigint as target_span_id,
    e.edge_span_id,
    e.via,
    coalesce(u.evidence, e.caller_evidence) || e.callee_evidence as evidence,
    case
        when h.trace_id is not null then 'binding-header'
        when e.caller_visit is null then 'none'
        when e.caller_span_id is not null then 'parent'
        else 'remote-ancestor'
    end as pairing,
    e.orphan
from entered as e
left join halves as h using (trace_id, visit)
left join unanswered as u on u.trace_id = h.caller_trace_id and u.span_id = h.caller_span_id
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
    u.orphan
from unanswered as u
anti join halves as h on h.caller_trace_id = u.trace_id and h.caller_span_id = u.span_id
