-- Entered visits: calls whose callee was seen.
-- reads: walk, visits, leads, unanswered
create or replace temp table entered as
with leads_on as (
    -- the spans that belong to the caller's side of some call
    select node from leads
    union all
    select node from unanswered
)
select
    v.*,
    -- a callee of which only its own next call was seen: that span's time and error are the next call's
    v.kind in (3, 4) and v.visit in (select node from leads_on) as only_calls
from visits as v
-- an edge that carried a call onwards is not itself the callee
anti join (select w.visit from walk as w semi join leads_on using (node) where w.edge) as through
    on through.visit = v.visit
-- a span without a caller begins a chain only if it served somebody: a job's own root was called by nobody
where
    v.caller_visit is not null
    or v.via is not null
    or v.kind in (2, 5)
    -- the sidecar's server span may be lost, and only its last leg be left
    or (v.proxy and v.orphan and v.app_node in (select node from walk where kind in (2, 5)))
