-- Trace spoof: a request from outside continued a trace of ours, or claimed to come from one of our services.
-- severity: medium
-- category: identity
-- status: preview, since 0.1
-- reads: hops
-- concerns: list_contains(marks, 'claim-from-outside') or (caller is null and road = 'public')
-- message: a request from outside to {callee} {what}.
-- why: whoever may write into a trace can hide in it, or put blame on another service.
-- fix: restart traces at the edge before {callee} (a new trace id, the old one as a link), and remove Service-Binding there.
-- check: bindtrace findings --rule trace-spoof --callee {callee} --since 10m
-- may be wrong when: a browser or an app of your own begins traces; say so by `outside = true` of its service.
with entries as (
    select trace_id, anchor_span_id, answered, start_time_unix_nano as start
    from hops
    where caller is null and road = 'public'
),
late as (
    select e.trace_id, e.anchor_span_id, e.answered
    from entries as e
    join hops as h on h.trace_id = e.trace_id and h.start_time_unix_nano < e.start
    group by all
    having
        -- a minute for clocks that differ: within the trace's own time it may be a call whose first half was lost
        min(e.start) > max(h.start_time_unix_nano + h.duration_nano) + 60e9
        -- a visitor's own browser may have begun the trace, and come back with it
        and not bool_or(h.caller is null and h.road = 'public')
)
select
    h.trace_id,
    h.anchor_span_id,
    h.answered,
    null as severity,
    null::varchar as file,
    null::uinteger as line,
    json_object(
        'what', case
            when list_contains(h.marks, 'claim-from-outside')
            then 'carried a Service-Binding header that says ' || coalesce(h.claimed_caller, '?')
            else 'continued a trace that had begun inside and was over'
        end
    ) as evidence
from hops as h
left join late using (trace_id, anchor_span_id, answered)
where list_contains(h.marks, 'claim-from-outside') or late.trace_id is not null
