-- Spans: whole traces as a client draws them; a span that came more than once has a row for each.
-- parameters: traces (UUIDs), first_load, last_load, analysed (bounds.sql)
-- reads: spans, identities, resources, instrumentation_scopes
-- why: who asks keeps the first of each and puts them in order: over rows this wide either takes longer here than to read.
select
    s.trace_id,
    s.span_id,
    s.parent_span_id,
    s.kind,
    s.name,
    s.start_time_unix_nano,
    greatest(s.end_time_unix_nano, s.start_time_unix_nano) as end_time_unix_nano,
    s.status_code,
    s.status_message,
    s.attributes,
    s.events,
    s.links,
    s.load_id,
    s.resource_id,
    coalesce(n.service, 'unknown_service') as service,
    r.attributes as resource_attributes,
    c.name as scope_name
from (
    select *
    from spans
    where
        load_id >= $first_load
        and (load_id <= $last_load or load_id > $analysed)
        and trace_id in (select unnest($traces::uuid[]))
) as s
join identities as n using (resource_id)
join resources as r using (resource_id)
left join instrumentation_scopes as c using (instrumentation_scope_id)
