-- Paths: the place of every call in its chain, and the worst that was met from the entry of the chain to it.
-- reads: parents, waited
create or replace temp table paths as
with recursive chain as (
    select
        l.*,
        l.trace_id as chain_trace_id,
        0 as depth,
        case when l.caller is null then [l.callee] else [l.caller, l.callee] end as path,
        l.verdict_rank as worst_verdict,
        l.road_rank as worst_road,
        l.road as entry_road,
        l.error as chain_error,
        l.duration_nano as chain_duration_nano,
        l.start as corrected_start_unix_nano,
        true as critical,
        -l.skew_nano::hugeint as clock_nano  -- what to add to the callee's times
    from parents as l
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
        c.chain_duration_nano,
        l.start + c.clock_nano,
        c.critical and coalesce(w.chosen, false),
        c.clock_nano - l.skew_nano
    from chain as c
    join parents as l
        on c.answered
        and l.parent_trace_id = c.trace_id
        and l.parent_anchor_span_id = c.anchor_span_id
    left join waited as w
        on w.trace_id = l.trace_id and w.anchor_span_id = l.anchor_span_id and w.answered = l.answered
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
    c.chain_duration_nano,
    c.corrected_start_unix_nano,
    c.critical,
    case when c.critical then coalesce(w.own_nano, c.duration_nano) else 0 end as critical_nano,
    c.error and not coalesce(child.error, false) as error_origin
from chain as c
left join waited as w using (trace_id, anchor_span_id, answered)
left join (
    select parent_trace_id, parent_anchor_span_id, bool_or(error) as error
    from parents
    group by parent_trace_id, parent_anchor_span_id
) as child
    on child.parent_trace_id = c.trace_id and child.parent_anchor_span_id = c.anchor_span_id
