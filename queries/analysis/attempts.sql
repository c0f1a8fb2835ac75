-- Attempts: calls that were tried more than once, each led to the try that stands for the call.
-- reads: placed
-- why: a retry is no second call. Tries of one client span (a proxy retried below it) and client spans that say by
--      http.request.resend_count that they repeat the one before are one call; two like calls that say nothing are two.
create or replace temp table attempts as
with recursive tries as (
    select
        trace_id, anchor_span_id, answered, served, caller_trace_id,
        caller_span_id,
        client_parent_span_id, caller, used_host, coalesce(callee_service, target_host) as callee, http_method, http_status, resends,
        evidence, start_time_unix_nano as start, start_time_unix_nano + duration_nano as finish
    from placed
    where caller_span_id is not null and not message
),
candidates as (
    select
        again.anchor_span_id, again.answered, again.caller_trace_id, again.caller_span_id,
        earlier.caller_span_id as earlier_span_id,
        same_callee(again, earlier) as same_callee,
        row_number() over (
            partition by again.trace_id, again.anchor_span_id, again.answered
            -- the last that had ended when this one began; of hedged tries, which overlap, the last that had begun
            order by
                case when earlier.finish <= again.start then earlier.finish else earlier.start end desc,
                earlier.start desc,
                earlier.caller_span_id,
                earlier.answered desc
        ) as place
    from (select * from tries where resends > 0) as again
    join tries as earlier
        on earlier.caller_trace_id = again.caller_trace_id
        and earlier.caller = again.caller
        and earlier.client_parent_span_id is not distinct from again.client_parent_span_id
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
    select caller_trace_id, caller_span_id, arg_max(earlier_span_id, (answered, anchor_span_id)) as earlier
    from candidates
    -- another callee is a redirect, and two calls
    where place = 1 and same_callee
    group by caller_trace_id, caller_span_id
),
led as (
    select caller_trace_id, caller_span_id, earlier as first_span_id
    from repeats
    union all
    select l.caller_trace_id, l.caller_span_id, r.earlier
    from led as l
    join repeats as r on r.caller_trace_id = l.caller_trace_id and r.caller_span_id = l.first_span_id
),
firsts as (
    select l.*
    from led as l
    anti join repeats as r on r.caller_trace_id = l.caller_trace_id and r.caller_span_id = l.first_span_id
),
rows_of as (
    select caller_trace_id, caller_span_id, first_span_id from firsts
    union
    select caller_trace_id, first_span_id, first_span_id from firsts
),
members as (
    select t.*, r.first_span_id, 'repeated' as callee_or_row
    from tries as t
    join rows_of as r using (caller_trace_id, caller_span_id)
    union all
    select t.*, t.caller_span_id, t.callee
    from tries as t
    anti join rows_of using (caller_trace_id, caller_span_id)
    semi join (
        select caller_trace_id, caller_span_id, callee
        from tries
        group by caller_trace_id, caller_span_id, callee
        having count(*) > 1
    ) using (caller_trace_id, caller_span_id, callee)
),
summed as (
    select
        caller_trace_id,
        first_span_id,
        callee_or_row,
        -- below a callee's own client spans nothing was tried twice
        greatest(count(*) filter (served), 1) as attempts,
        min(start) as first_start,
        max(finish) - min(start) as duration_nano,
        -- the last that got an answer stands for all
        arg_max(trace_id, (answered, start, anchor_span_id)) as head_trace_id,
        arg_max(anchor_span_id, (answered, start, anchor_span_id)) as head_anchor_span_id,
        arg_max(answered, (answered, start, anchor_span_id)) as head_answered,
        flatten(list(evidence order by start, anchor_span_id)) as evidence
    from members
    group by caller_trace_id, first_span_id, callee_or_row
    having count(*) > 1
)
select
    m.trace_id,
    m.anchor_span_id,
    m.answered,
    s.head_trace_id,
    s.head_anchor_span_id,
    s.head_answered,
    s.attempts,
    s.first_start,
    s.duration_nano,
    s.evidence
from members as m
join summed as s using (caller_trace_id, first_span_id, callee_or_row)
