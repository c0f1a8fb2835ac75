-- Paths: the place of every call in its chain, and the worst that was met from the entry of the chain to it.
-- reads: parents, waited, judged
create or replace temp table paths as
with recursive steps as (
    select
        p.call, p.parent, p.trace, p.answered, p.shape, p.callee_name, p.verdict_rank, p.road_rank, p.error,
        p.duration_nano, p.start_time_unix_nano, p.skew_nano,
        coalesce(w.chosen, false) as chosen,
        coalesce(w.own_nano, p.duration_nano) as own_nano
    from parents as p
    left join waited as w using (call)
),
chain as (
    select
        s.call,
        s.trace as chain_trace,
        0 as depth,
        case when j.caller is null then [coalesce(j.callee, 'unknown')] else [j.caller, coalesce(j.callee, 'unknown')] end
            as path,
        s.verdict_rank as worst_verdict,
        s.road_rank as worst_road,
        j.road as entry_road,
        s.error as chain_error,
        s.duration_nano as chain_duration_nano,
        s.start_time_unix_nano::hugeint as corrected_start_unix_nano,
        true as critical,
        s.own_nano,
        -s.skew_nano::hugeint as clock_nano  -- what to add to the callee's times
    from steps as s
    join judged as j on j.shape = s.shape
    where s.parent is null
    union all
    select
        s.call,
        c.chain_trace,
        c.depth + 1,
        list_append(c.path, coalesce(j.callee, 'unknown')),
        least(c.worst_verdict, s.verdict_rank),
        least(c.worst_road, s.road_rank),
        c.entry_road,
        c.chain_error or s.error,
        c.chain_duration_nano,
        s.start_time_unix_nano + c.clock_nano,
        c.critical and s.chosen,
        s.own_nano,
        c.clock_nano - s.skew_nano
    from chain as c
    join steps as s on s.parent = c.call
    join judged as j on j.shape = s.shape
    where c.depth < 1024
)
select
    c.call,
    c.chain_trace,
    c.depth,
    c.path,
    ['denied', 'unknown', 'allowed'][c.worst_verdict] as chain_verdict,
    coalesce(['public', 'unknown', 'private', 'binding'][c.worst_road], c.entry_road) as chain_road,
    c.chain_error,
    c.chain_duration_nano,
    c.corrected_start_unix_nano,
    c.critical,
    case when c.critical then c.own_nano else 0 end as critical_nano,
    child.parent is null as leaf,
    coalesce(child.error, false) as failed_below
from chain as c
left join (
    select parent, bool_or(error) as error from parents where parent is not null group by parent
) as child on child.parent = c.call
