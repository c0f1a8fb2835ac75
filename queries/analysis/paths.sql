-- Paths: the place of every call in its chain, and the worst that was met from the entry of the chain to it.
-- reads: parents, waited, judged
create or replace temp table steps as
select
    p.call, p.parent, p.trace, p.verdict_rank, p.road_rank, p.grade_rank, p.error, p.duration_nano,
    p.start_time_unix_nano, p.skew_nano,
    j.road,
    coalesce(j.callee, '(unseen)') as called,
    -- of a chain's first call, which has none before it
    case when p.parent is null then list_concat(case when j.caller is not null then [j.caller] end, [called]) end as path,
    coalesce(w.chosen, false) as chosen,
    coalesce(w.own_nano, p.duration_nano) as own_nano
from parents as p
left join waited as w using (call)
join judged as j on j.shape = p.shape;
create or replace temp table paths as
with recursive chain as (
    select
        s.call,
        s.trace as chain_trace,
        0 as depth,
        s.path,
        s.verdict_rank as worst_verdict,
        s.road_rank as worst_road,
        s.grade_rank as worst_grade,
        s.road as entry_road,
        s.error as chain_error,
        s.duration_nano as chain_duration_nano,
        s.start_time_unix_nano::hugeint as corrected_start_unix_nano,
        true as critical,
        s.own_nano,
        -s.skew_nano::hugeint as clock_nano  -- what to add to the callee's times
    from steps as s
    where s.parent is null
    union all
    select
        s.call,
        c.chain_trace,
        c.depth + 1,
        list_append(c.path, s.called),
        least(c.worst_verdict, s.verdict_rank),
        least(c.worst_road, s.road_rank),
        least(c.worst_grade, s.grade_rank),
        c.entry_road,
        c.chain_error or s.error,
        c.chain_duration_nano,
        s.start_time_unix_nano + c.clock_nano,
        c.critical and s.chosen,
        s.own_nano,
        c.clock_nano - s.skew_nano
    -- of two tables without statistics the last is hashed, once for every level: it must be the level (`steps` is a
    -- table, and not one of many names here, for that)
    from steps as s
    join chain as c on s.parent = c.call
    where c.depth < 1024
)
select
    c.call,
    c.chain_trace,
    c.depth,
    c.path,
    ['denied', 'unknown', 'allowed'][c.worst_verdict] as chain_verdict,
    coalesce(['public', 'unknown', 'private', 'binding'][c.worst_road], c.entry_road) as chain_road,
    ['contradicted', 'inferred', 'claimed', 'verified', 'proven'][(c.worst_grade - 1) % 5 + 1] as chain_grade,
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
