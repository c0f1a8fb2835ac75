-- Span conflict: two different spans came under one id.
-- severity: low
-- category: telemetry
-- status: preview, since 0.1
-- reads: hops
-- concerns: list_contains(marks, 'conflicting-copies')
-- message: spans of {caller} → {callee} were sent again with other content; the first that came is kept{share}.
-- why: of two contents under one id one is wrong, and whoever sends both can change what was seen.
-- fix: update the SDK or exporter of {callee} (some send a span again after changing it), and let nobody else send in its name.
-- check: bindtrace findings --rule span-conflict --callee {callee} --since 10m
-- may be wrong when: an SDK sends a span once unfinished and once finished.
with counted as (
    select
        *,
        list_contains(marks, 'conflicting-copies') as conflicts,
        count(*) filter (list_contains(marks, 'conflicting-copies')) over (partition by callee) as bad,
        count(*) over (partition by callee) as calls
    from hops
    where callee in (select callee from hops where list_contains(marks, 'conflicting-copies'))
)
select
    trace_id,
    anchor_span_id,
    answered,
    case when bad >= 100 and bad >= calls * 0.1 then 'high' end as severity,
    null::varchar as file,
    null::uinteger as line,
    json_object('share', format('; {} of {} calls to {} have it', bad, calls, callee)) as evidence
from counted
where conflicts
