-- Entered visits: calls whose callee was seen, with the callee's proxies folded into its side.
-- reads: walk, unanswered
create or replace temp table entered as
with leads_on as (
    -- the spans that belong to the caller's side of some call
    select trace_id, unnest(caller_evidence) as span_id from walk where entry
    union
    select trace_id, span_id from unanswered
),
callee_side as (
    select
        w.trace_id,
        w.visit,
        arg_min(w.span_id, (w.depth, w.span_id)) filter (not w.proxy) as app_span_id,
        list(w.span_id order by w.depth, w.span_id) filter (
            w.proxy and not w.app_seen and w.kind in (2, 3, 4, 5) and l.span_id is null and w.span_id <> w.visit
        ) as proxies,
        -- the sidecar's server span may be lost, and only its last leg be left
        coalesce(arg_min(w.kind, (w.depth, w.span_id)) filter (not w.proxy) in (2, 5), false) as app_serves,
        -- a callee of which only its own next call was seen: that span's time and error are the next call's
        bool_or(w.entry and w.kind in (3, 4) and l.span_id is not null) as only_calls,
        -- an edge that carried a call onwards is not itself the callee
        bool_or(w.edge and l.span_id is not null) as looked_through
    from walk as w
    left join leads_on as l using (trace_id, span_id)
    group by w.trace_id, w.visit
)
select
    e.trace_id,
    e.visit,
    e.kind,
    e.orphan,
    e.caller_visit,
    e.caller_span_id,
    e.caller_evidence,
    e.via,
    e.edge_span_id,
    c.app_span_id,
    c.only_calls,
    [e.visit] || coalesce(c.proxies, []) || case when c.app_span_id <> e.visit then [c.app_span_id] else [] end
        as callee_evidence
from walk as e
join callee_side as c using (trace_id, visit)
where
    e.entry
    and not c.looked_through
    -- a span without a caller begins a chain only if it served somebody: a job's own root was called by nobody
    and (e.caller_visit is not null or e.via <> [] or e.kind in (2, 5) or (e.proxy and e.orphan and c.app_serves))
