-- Exposed and bound: a service that is called by bindings alone is open to the outside as well.
-- severity: low
-- category: exposure
-- status: preview, since 0.1
-- kind: subjects
-- quiet: 30 s
-- reads: hops, grants, exposures, services, spans
-- message: {callee} is open to the outside ({source}), and in {days} days all of its {calls} calls came from inside; {coverage}.
-- why: a door that nobody uses is only an attacker's.
-- fix: close it at {file}:{line}; the services that call {callee} have their bindings.
-- remedy: close the route or domain that exposes it; the services that call it have their bindings.
-- check: bindtrace findings --rule exposed-and-bound --callee {callee}
-- may be wrong when: the public callers are rare, or send no spans.
with opened as (
    select service, arg_min(source, line) as source, arg_min(file, line) as file, min(line) as line
    from (
        select service, source, file, line from exposures
        union all
        select service, 'exposure = public', file, line from services where exposure = 'public'
    )
    where service in (select callee from grants where action = 'allow')
    group by service
),
called as (
    select
        callee,
        count(*) as calls,
        -- who is not known may have come from outside
        count(*) filter (caller is null or list_contains(marks, 'caller-outside') or road = 'public') as visits,
        min(start_time_unix_nano) as first_seen,
        max(start_time_unix_nano) as last_seen,
        arg_max(trace_id, start_time_unix_nano) as latest
    from hops
    where callee in (select service from opened)
    group by callee
    having
        visits = 0
        and calls >= 50
        and max(start_time_unix_nano) - min(start_time_unix_nano) >= 14 * 86400e9
),
sampled as (
    select trace_id, any_value(sampling_share(trace_state)) as share
    from spans
    semi join called on called.latest = spans.trace_id
    where trace_state is not null
    group by trace_id
)
select
    null::varchar as caller,
    c.callee,
    case when s.share is null then 'info' end as severity,
    sure_by_share(s.share) as confidence,
    c.calls as "count",
    c.first_seen,
    c.last_seen,
    o.file,
    o.line,
    json_object(
        'source', o.source,
        'days', floor((c.last_seen - c.first_seen) / 86400e9)::integer,
        'calls', c.calls,
        'file', o.file,
        'line', o.line,
        'coverage', share_in_words(s.share, 'visits')
    ) as evidence
from called as c
join opened as o on o.service = c.callee
left join sampled as s on s.trace_id = c.latest
