-- Parents: every call with the call that had entered its caller, and the decision on it.
-- reads: facts, attempts, decisions
create or replace temp table parents as
select
    f.trace_id,
    f.anchor_span_id,
    f.answered,
    parent.trace_id as parent_trace_id,
    parent.anchor_span_id as parent_anchor_span_id,
    f.caller,
    coalesce(f.callee, 'unknown') as callee,
    f.error,
    f.duration_nano,
    f.start_time_unix_nano::hugeint as start,
    f.skew_nano,
    d.verdict,
    d.reason,
    list_position(['denied', 'unknown', 'allowed'], d.verdict) as verdict_rank,
    -- the entry comes from outside by its nature: it says nothing of the roads inside
    case when f.caller is not null and f.fact_caller <> 'external' then list_position(['public', 'unknown', 'private', 'binding'], f.road) end
        as road_rank,
    f.road
from facts as f
join decisions as d
    using (fact_receiver, fact_manifest, fact_caller, fact_callee, fact_grant, fact_entry)
left join attempts as tried
    on tried.trace_id = f.caller_trace_id and tried.anchor_span_id = f.caller_visit and tried.answered
left join facts as parent
    on parent.trace_id = coalesce(tried.head_trace_id, f.caller_trace_id)
    and parent.anchor_span_id = coalesce(tried.head_anchor_span_id, f.caller_visit)
    and parent.answered
