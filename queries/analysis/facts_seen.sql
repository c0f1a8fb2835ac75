-- Facts seen: each distinct tuple of facts, to be judged once (propagation/decision.py).
-- reads: facts
create or replace temp table facts_seen as
select distinct fact_receiver, fact_manifest, fact_caller, fact_callee, fact_grant, fact_entry
from facts
