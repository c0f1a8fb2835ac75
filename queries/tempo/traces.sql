-- Traces: what a search answer says of each trace, and how many spans each service has in it.
-- parameters: traces (UUIDs)
-- reads: spans, identities
-- source: tempopb TraceSearchMetadata; Tempo's own words where the root was not seen
with here as (
    select distinct on (s.trace_id, s.span_id)
        s.trace_id,
        s.parent_span_id,
        s.name,
        s.start_time_unix_nano,
        greatest(s.end_time_unix_nano, s.start_time_unix_nano) as end_time_unix_nano,
        s.status_code = 2 as error,
        coalesce(n.service, 'unknown_service') as service
    from spans as s
    join identities as n using (resource_id)
    where s.trace_id in (select unnest($traces::uuid[]))
    order by s.trace_id, s.span_id, s.load_id
),
counted as (
    select trace_id, service, count(*) as spans, count(*) filter (error) as errors
    from here
    group by trace_id, service
)
select
    h.trace_id,
    coalesce(
        arg_min(h.service, h.start_time_unix_nano) filter (h.parent_span_id is null), '<root span not yet received>'
    ) as root_service,
    coalesce(arg_min(h.name, h.start_time_unix_nano) filter (h.parent_span_id is null), '') as root_name,
    min(h.start_time_unix_nano) as start_time_unix_nano,
    (max(h.end_time_unix_nano) - min(h.start_time_unix_nano)) // 1000000 as duration_ms,
    (
        select list({'service': c.service, 'spans': c.spans, 'errors': c.errors} order by c.service)
        from counted as c
        where c.trace_id = h.trace_id
    ) as services
from here as h
group by h.trace_id
