-- Waited: for which of its calls a service waited, and what each call alone cost.
-- reads: parents
-- source: jaeger-ui, TraceTimelineViewer/CriticalPath: back from the end of the parent, the child that finished last,
--         then the sibling that had finished last before that one began; children are cut to their parent.
-- why: siblings are on one clock, their caller's; so nothing but the parent's own start need be moved to it.
create or replace temp table waited as
with recursive clocked as (
    select
        call,
        start_time_unix_nano::hugeint + skew_nano as start,
        start_time_unix_nano::hugeint + skew_nano + duration_nano as finish,
        duration_nano
    from parents
),
inside as materialized (
    -- from the parent's start on, which it is cut to: small numbers, at half the cost of moments
    select
        c.call,
        c.parent,
        greatest(c.start_time_unix_nano - p.start, 0)::ubigint as start,
        least(c.start_time_unix_nano::hugeint + c.duration_nano - p.start, p.duration_nano)::ubigint as finish
    from parents as c
    join clocked as p on p.call = c.parent
    where
        c.start_time_unix_nano < p.finish
        and c.start_time_unix_nano::hugeint + c.duration_nano > p.start
),
several as (
    select parent from inside group by parent having count(*) > 1
),
moments as (
    -- beginnings and ends of siblings in one row of time; of two at the same moment the end comes first, but for one
    -- that lasted no time, which does not come before itself
    select *, finish as moment, false as begins, case when start = finish then 2 else 0 end as place
    from inside
    semi join several using (parent)
    union all
    select *, start, true, case when start = finish then 1 else 3 end
    from inside
    semi join several using (parent)
),
steps as materialized (
    -- for each sibling the last end before it began (by window: 1.5.5 corrupts memory in an `asof join` here)
    select
        call, begins,
        last_value(case when not begins then call end ignore nulls) over (
            partition by parent
            order by moment, place, start, call
            rows between unbounded preceding and current row
        ) as earlier,
        row_number() over (partition by parent order by begins, finish desc, start desc, call) as rank
    from moments
),
chosen as (
    select call from steps where rank = 1
    union
    select s.earlier
    from chosen as c
    join steps as s on s.call = c.call
    where s.begins and s.earlier is not null
),
waits as materialized (
    select i.*, s.parent is null or c.call is not null as chosen
    from inside as i
    left join several as s using (parent)
    left join chosen as c using (call)
),
below as (
    select parent, sum(finish - start) as nano
    from waits
    where chosen
    group by parent
)
select
    p.call,
    coalesce(w.chosen, false) as chosen,
    greatest(coalesce(w.finish - w.start, p.duration_nano) - coalesce(below.nano, 0), 0)::ubigint as own_nano
from parents as p
left join waits as w using (call)
left join below on below.parent = p.call
