-- Summaries: what lists of traces say of each: its root, its time, and how many spans each service has in it.
-- parameters: traces (UUIDs), first_load, last_load, analysed (bounds.sql)
-- reads: spans, identities
-- source: tempopb TraceSearchMetadata; jaeger-idl:swagger/api_v3/query_service.openapi.yaml, TraceSummary
with here as (
    select distinct on (s.trace_id, s.span_id)
        s.trace_id,
        s.span_id,
        s.parent_span_id,
        s.name,
        s.start_time_unix_nano,
        greatest(s.end_time_unix_nano, s.start_time_unix_nano) as end_time_unix_nano,
        s.status_code = 2 as error,
        coalesce(n.service, 'unknown_service') as service
    from spans as s
    join identities as n using (resource_id)
    where
        s.load_id >= $first_load
        and (s.load_id <= $last_load or s.load_id > $analysed)
        and s.trace_id in (select unnest($traces::uuid[]))
    order by s.trace_id, s.span_id, s.load_id
),
counted as (
    select trace_id, service, count(*) as spans, count(*) filter (error) as errors
    from here
    group by trace_id, service
)
select
    h.trace_id,
    arg_min(h.service, h.start_time_unix_nano) filter (h.parent_span_id is null) as root_service,
    arg_min(h.name, h.start_time_unix_nano) filter (h.parent_span_id is null) as root_name,
    min(h.start_time_unix_nano) as start_time_unix_nano,
    max(h.end_time_unix_nano) as end_time_unix_nano,
    count(*) as spans,
    count(*) filter (h.error) as errors,
    count(*) filter (h.parent_span_id is not null and parent.span_id is null) as orphans,
    (
        select list({'service': c.service, 'spans': c.spans, 'errors': c.errors} order by c.service)
        from counted as c
        where c.trace_id = h.trace_id
    ) as services
from here as h
left join here as parent on parent.trace_id = h.trace_id and parent.span_id = h.parent_span_id
group by h.trace_id
