-- Entered visits: calls whose callee was seen, with the callee's proxies folded into its side.
-- reads: walk, unanswered
create or replace temp table entered as
with looked_through as (
    -- an edge that carried a call onwards is not itself the callee
    select distinct w.trace_id, w.visit
    from walk as w
    join (
        select distinct trace_id, unnest(caller_evidence) as span_id from walk where entry
        union
        select trace_id, span_id from unanswered
    ) using (trace_id, span_id)
    where w.edge
),
callee_side as (
    select
        w.trace_id,
        w.visit,
        arg_min(w.span_id, w.depth) filter (not w.proxy) as app_span_id,
        list(w.span_id order by w.depth) filter (
            w.proxy and not w.app_seen and w.kind in (2, 3, 4, 5) and leads_on.span_id is null
            and w.span_id <> w.visit
        ) as proxies
    from walk as w
    left join (
        select distinct trace_id, unnest(caller_evidence) as span_id from walk where entry
        union
        select trace_id, span_id from unanswered
    ) as leads_on using (trace_id, span_id)
    group by w.trace_id, w.visit
)
select
    e.trace_id,
    e.visit,
    e.kind,
    e.orphan,
    e.caller_visit,
    e.caller_span_id,
    e.exit_span_id,
    e.caller_evidence,
    e.via,
    e.edge_span_id,
    c.app_span_id,
    [e.visit] || coalesce(c.proxies, []) || case when c.app_span_id <> e.visit then [c.app_span_id] else [] end
        as callee_evidence
from walk as e
join callee_side as c using (trace_id, visit)
anti join looked_through using (trace_id, visit)
where
    e.entry
    -- a span without a caller begins a chain only if it served somebody: a job's own root was called by nobody
    and (e.caller_visit is not null or e.via <> [] or e.kind in (2, 5))
