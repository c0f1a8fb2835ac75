-- Span metrics: every span in the words that Tempo's metrics generator has for it.
-- reads: spans, identities
-- source: Tempo's metrics generator, span metrics: service, span_name, span_kind, status_code
select
    s.start_time_unix_nano as moment,
    greatest(s.end_time_unix_nano::hugeint - s.start_time_unix_nano, 0)::ubigint as duration_nano,
    1 as weight,
    coalesce(n.service, 'unknown_service') as service,
    s.name as span_name,
    [
        'SPAN_KIND_UNSPECIFIED', 'SPAN_KIND_INTERNAL', 'SPAN_KIND_SERVER', 'SPAN_KIND_CLIENT', 'SPAN_KIND_PRODUCER',
        'SPAN_KIND_CONSUMER'
    ][s.kind + 1] as span_kind,
    ['STATUS_CODE_UNSET', 'STATUS_CODE_OK', 'STATUS_CODE_ERROR'][s.status_code + 1] as status_code
from every_span as s
join bindtrace.main.identities as n using (resource_id)
