-- Paths: the place of every call in its chain, and the worst that was met from the entry of the chain to it.
-- reads: facts, decisions
create or replace temp table paths as
with recursive linked as (
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
        d.verdict,
        d.reason,
        list_position(['denied', 'unknown', 'allowed'], d.verdict) as verdict_rank,
        -- the entry comes from outside by its nature: it says nothing of the roads inside
        case when f.caller is not null then list_position(['public', 'unknown', 'private', 'binding'], f.road) end
            as road_rank,
        f.road
    from facts as f
    join decisions as d
        using (fact_receiver, fact_manifest, fact_caller, fact_callee, fact_grant, fact_entry)
    left join facts as parent
        on parent.trace_id = f.caller_trace_id
        and parent.anchor_span_id = f.caller_visit
        and parent.answered
),
chain as (
    select
        l.*,
        l.trace_id as chain_trace_id,
        0 as depth,
        case when l.caller is null then [l.callee] else [l.caller, l.callee] end as path,
        l.verdict_rank as worst_verdict,
        l.road_rank as worst_road,
        l.road as entry_road,
        l.error as chain_error,
        l.duration_nano as chain_duration_nano
    from linked as l
    where l.parent_trace_id is null
    union all
    select
        l.*,
        c.chain_trace_id,
        c.depth + 1,
        list_append(c.path, l.callee),
        least(c.worst_verdict, l.verdict_rank),
        least(c.worst_road, l.road_rank),
        c.entry_road,
        c.chain_error or l.error,
        c.chain_duration_nano
    from chain as c
    join linked as l
        on c.answered
        and l.parent_trace_id = c.trace_id
        and l.parent_anchor_span_id = c.anchor_span_id
    where c.depth < 1024
)
select
    c.trace_id,
    c.anchor_span_id,
    c.answered,
    c.parent_trace_id,
    c.parent_anchor_span_id,
    c.chain_trace_id,
    c.depth,
    c.path,
    child.parent_trace_id is null or not c.answered as leaf,
    c.verdict,
    c.reason,
    ['denied', 'unknown', 'allowed'][c.worst_verdict] as chain_verdict,
    coalesce(['public', 'unknown', 'private', 'binding'][c.worst_road], c.entry_road) as chain_road,
    c.chain_error,
    c.chain_duration_nano
from chain as c
left join (select distinct parent_trace_id, parent_anchor_span_id from linked) as child
    on child.parent_trace_id = c.trace_id and child.parent_anchor_span_id = c.anchor_span_id
