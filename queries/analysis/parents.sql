-- Parents: every call, its tries as one, with the call that had entered its caller.
-- reads: witnessed, shapes, attempts, judged
create or replace temp table parents as
with heads as (
    select
        w.call, w.trace, w.anchor_span_id, w.answered, w.error, w.duration_nano, w.start_time_unix_nano, w.skew_nano,
        w.network_nano, w.orphan, w.http_method, w.http_status, w.url_path, w.caller_span_id, w.app_span_id, w.caller_visit,
        s.shape, a.attempts, a.first_start, a.duration_nano as tries_nano
    from witnessed as w
    join (select shape, unnest(calls) as call from shapes) as s on s.call = w.call
    left join attempts as a on a.call = w.call
    -- the last try stands for all
    where a.call is null or a.head = a.call
)
select
    h.call,
    parent.call as parent,
    h.trace,
    h.anchor_span_id,
    h.answered,
    h.shape,
    j.callee_name,
    j.verdict_rank,
    j.road_rank,
    j.grade_rank,
    h.error,
    coalesce(h.tries_nano, h.duration_nano) as duration_nano,
    coalesce(h.first_start, h.start_time_unix_nano) as start_time_unix_nano,
    h.skew_nano,
    h.network_nano,
    greatest(coalesce(h.attempts, 1), 1 + j.resends) as attempts,
    h.orphan,
    h.http_method,
    h.http_status,
    h.url_path,
    h.caller_span_id,
    case when h.answered then h.app_span_id end as callee_span_id
from heads as h
join judged as j on j.shape = h.shape
left join attempts as tried on tried.call = h.caller_visit * 2 + 1
left join (select call from heads where answered) as parent
    on parent.call = coalesce(tried.head, h.caller_visit * 2 + 1)
