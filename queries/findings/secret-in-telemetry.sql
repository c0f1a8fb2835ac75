-- Secret in telemetry: a service sent credentials in its spans, which were replaced before anything was stored.
-- severity: medium
-- category: secrets
-- status: preview, since 0.1
-- kind: subjects
-- reads: senders
-- parameters: since, until
-- message: {caller} sent {values} with a credential in them: {places}.
-- why: whoever may read traces could have used them, and others may have received the same spans.
-- fix: switch off the capture of these attributes in {caller}, and renew the credentials.
-- check: bindtrace findings --rule secret-in-telemetry --caller {caller} --since 10m
-- may be wrong when: the value is a public key, an example or a test's.
select
    service as caller,
    -- what its shape shows to be one was live; under a telling name alone anything may stand
    case
        when bool_or(
            split_part(reason, ' in ', 1) not in (
                'authorization', 'cookie', 'password', 'secret', 'credential', 'token', 'api-key', 'assignment', 'digest'
            )
        ) then 'high'
    end as severity,
    sum(spans)::bigint as "count",
    max(last_seen_unix_nano) as first_seen,
    max(last_seen_unix_nano) as last_seen,
    null::varchar as file,
    null::uinteger as line,
    json_object(
        'values', format('{} value{}', sum(spans)::bigint, case when sum(spans) = 1 then '' else 's' end),
        'places', array_to_string(list(distinct reason order by reason)[1:5], ', ')
            || case when count(distinct reason) > 5 then format(' and {} more', count(distinct reason) - 5) else '' end
    ) as evidence
from senders
where
    what = 'redacted'
    and last_seen_unix_nano >= $since
    and last_seen_unix_nano < $until
group by service
