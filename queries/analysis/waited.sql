-- Waited: for which of its calls a service waited, and what each call alone cost.
-- reads: parents
-- source: jaeger-ui, TraceTimelineViewer/CriticalPath: back from the end of the parent, the child that finished last,
--         then the sibling that had finished last before that one began; children are cut to their parent.
-- why: siblings are on one clock, their caller's; so nothing but the parent's own start need be moved to it.
create or replace temp table waited as
with recursive inside as materialized (
    select
        c.trace_id,
        c.anchor_span_id,
        c.answered,
        p.trace_id as parent_trace_id,
        p.anchor_span_id as parent_anchor_span_id,
        greatest(c.start, p.start + p.skew_nano) as start,
        least(c.start + c.duration_nano, p.start + p.skew_nano + p.duration_nano) as finish,
        count(*) over (partition by p.trace_id, p.anchor_span_id) as siblings
    from parents as c
    join parents as p
        on p.trace_id = c.parent_trace_id and p.anchor_span_id = c.parent_anchor_span_id and p.answered
    where
        c.start < p.start + p.skew_nano + p.duration_nano
        and c.start + c.duration_nano > p.start + p.skew_nano
),
moments as (
    -- beginnings and ends of siblings in one row of time; of two at the same moment the end comes first, but for one
    -- that lasted no time, which does not come before itself
    select *, finish as moment, false as begins, case when start = finish then 2 else 0 end as place
    from inside
    where siblings > 1
    union all
    select *, start, true, case when start = finish then 1 else 3 end
    from inside
    where siblings > 1
),
steps as materialized (
    -- for each sibling the last end before it began (by window: 1.5.5 corrupts memory in an `asof join` here)
    select
        trace_id, anchor_span_id, answered, begins,
        last_value(case when not begins then trace_id end ignore nulls) over earlier as earlier_trace_id,
        last_value(case when not begins then anchor_span_id end ignore nulls) over earlier as earlier_anchor_span_id,
        last_value(case when not begins then answered end ignore nulls) over earlier as earlier_answered,
        row_number() over (
            partition by parent_trace_id, parent_anchor_span_id
            order by begins, finish desc, start desc, anchor_span_id, answered
        ) as rank
    from moments
    window earlier as (
        partition by parent_trace_id, parent_anchor_span_id
        order by moment, place, start, anchor_span_id, answered
        rows between unbounded preceding and current row
    )
),
chosen as (
    select trace_id, anchor_span_id, answered from steps where rank = 1
    union
    select s.earlier_trace_id, s.earlier_anchor_span_id, s.earlier_answered
    from chosen as c
    join steps as s
        on s.trace_id = c.trace_id
        and s.anchor_span_id = c.anchor_span_id
        and s.answered = c.answered
    where s.begins and s.earlier_trace_id is not null
),
waits as materialized (
    select i.*, i.siblings = 1 or c.trace_id is not null as chosen
    from inside as i
    left join chosen as c using (trace_id, anchor_span_id, answered)
),
below as (
    select parent_trace_id, parent_anchor_span_id, sum(finish - start) as nano
    from waits
    where chosen
    group by parent_trace_id, parent_anchor_span_id
)
select
    p.trace_id,
    p.anchor_span_id,
    p.answered,
    coalesce(w.chosen, false) as chosen,
    greatest(coalesce(w.finish - w.start, p.duration_nano) - coalesce(case when p.answered then below.nano end, 0), 0)::ubigint as own_nano
from parents as p
left join waits as w using (trace_id, anchor_span_id, answered)
left join below
    on below.parent_trace_id = p.trace_id
    and below.parent_anchor_span_id = p.anchor_span_id
