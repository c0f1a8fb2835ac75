-- Halves of one call that a broken traceparent left in two traces, joined by the Service-Binding header.
-- reads: nodes, entered, unanswered
-- why: chain, hop and caller travel in the header even where the trace context was dropped. Never joined by time or
--      name alone; where several calls fit, they are paired in the order in which they began.
create or replace temp table halves as
with callees as (
    select
        e.trace_id, e.visit, n.claimed_chain, n.claimed_hop, n.claimed_caller, n.service,
        row_number() over (
            partition by n.claimed_chain, n.claimed_hop, n.claimed_caller, n.service
            order by n.start_time_unix_nano, e.visit
        ) as place
    from entered as e
    join nodes as n on n.trace_id = e.trace_id and n.span_id = coalesce(e.app_span_id, e.visit)
    where
        e.caller_visit is null
        and n.claimed_hop is not null
        and n.claimed_caller is not null
        and n.claimed_chain <> replace(e.trace_id::varchar, '-', '')
),
callers as (
    select
        u.trace_id, u.span_id, n.claimed_hop, n.service, n.claimed_callee,
        coalesce(n.claimed_chain, replace(u.trace_id::varchar, '-', '')) as chain,
        row_number() over (
            partition by n.claimed_chain, n.claimed_hop, n.service, n.claimed_callee
            order by n.start_time_unix_nano, u.span_id
        ) as place
    from unanswered as u
    join nodes as n using (trace_id, span_id)
    where not u.edge
)
select
    callees.trace_id,
    callees.visit,
    callers.trace_id as caller_trace_id,
    callers.span_id as caller_span_id
from callees
join callers
    on callers.chain = callees.claimed_chain
    and callers.claimed_hop = callees.claimed_hop
    and callers.service = callees.claimed_caller
    and coalesce(callers.claimed_callee, callees.service) = callees.service
    and callers.place = callees.place
