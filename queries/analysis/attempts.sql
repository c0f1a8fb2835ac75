-- Attempts: calls that were tried more than once, each led to the try that stands for the call.
-- reads: witnessed, shapes, sightings, placed, evidence
-- why: a retry is no second call. Tries of one client span (a proxy retried below it) and client spans that say by
--      http.request.resend_count that they repeat the one before are one call; two like calls that say nothing are two.
create or replace temp table attempts as
with recursive resent as (
    select distinct w.caller_trace
    from witnessed as w
    semi join (
        select unnest(s.calls) as call
        from shapes as s
        join sightings as said using (shape)
        where said.resends > 0 and not said.message
    ) as r on r.call = w.call
),
tries as materialized (
    select
        w.call, w.answered, said.served, w.caller_trace, w.caller_node, w.client_parent, p.caller, said.used_host,
        coalesce(p.callee_service, said.target_host) as callee, w.http_method, w.http_status, said.resends,
        coalesce(e.spans, spans_of(w.answered, w.caller_span_id, w.anchor_span_id)) as evidence,
        w.start_time_unix_nano as start, w.start_time_unix_nano + w.duration_nano as finish
    from (
        select * from witnessed semi join resent using (caller_trace)
        union
        select *
        from witnessed
        semi join (
            select caller_node from witnessed group by caller_node having count(*) > 1
        ) as often using (caller_node)
    ) as w
    join (select shape, unnest(calls) as call from shapes) as s on s.call = w.call
    join sightings as said on said.shape = s.shape
    join placed as p on p.shape = s.shape
    left join evidence as e on e.call = w.call
    where w.caller_node is not null and not said.message
),
candidates as (
    select
        again.call, again.answered, again.caller_node,
        earlier.caller_node as earlier_node,
        same_callee(again, earlier) as same_callee,
        row_number() over (
            partition by again.call
            -- the last that had ended when this one began; of hedged tries, which overlap, the last that had begun
            order by
                case when earlier.finish <= again.start then earlier.finish else earlier.start end desc,
                earlier.start desc,
                earlier.caller_node,
                earlier.answered desc
        ) as place
    from (select * from tries where resends > 0) as again
    join tries as earlier
        on earlier.caller_trace = again.caller_trace
        and earlier.caller = again.caller
        and earlier.client_parent is not distinct from again.client_parent
        and earlier.http_method is not distinct from again.http_method
        and earlier.resends = again.resends - 1
        and earlier.start <= again.start
        -- an answer of 3xx led to this one, whatever its callee
        and (
            same_callee(again, earlier)
            or (earlier.http_status between 300 and 399 and earlier.finish <= again.start)
        )
),
repeats as (
    select caller_node, arg_max(earlier_node, (answered, call)) as earlier
    from candidates
    -- another callee is a redirect, and two calls
    where place = 1 and same_callee
    group by caller_node
),
led as (
    select caller_node, earlier as first_node
    from repeats
    union all
    select l.caller_node, r.earlier
    from led as l
    join repeats as r on r.caller_node = l.first_node
),
firsts as (
    select l.* from led as l anti join repeats as r on r.caller_node = l.first_node
),
rows_of as (
    select caller_node, first_node from firsts
    union
    select first_node, first_node from firsts
),
members as (
    select t.*, r.first_node, 'repeated' as callee_or_row
    from tries as t
    join rows_of as r using (caller_node)
    union all
    select t.*, t.caller_node, t.callee
    from tries as t
    anti join rows_of using (caller_node)
    semi join (
        select caller_node, callee from tries group by caller_node, callee having count(*) > 1
    ) as like_it using (caller_node, callee)
),
summed as (
    select
        first_node,
        callee_or_row,
        -- below a callee's own client spans nothing was tried twice
        greatest(count(*) filter (served), 1) as attempts,
        min(start) as first_start,
        max(finish) - min(start) as duration_nano,
        -- the last that got an answer stands for all
        arg_max(call, (answered, start, call)) as head,
        flatten(list(evidence order by start, call)) as evidence
    from members
    group by first_node, callee_or_row
    having count(*) > 1
)
select m.call, s.head, s.attempts, s.first_start, s.duration_nano, s.evidence
from members as m
join summed as s using (first_node, callee_or_row)
