-- Credentials: how old the credential was that each service showed last, and who verified it.
-- parameters: since, until, environment
-- reads: hops, spans
with shown as (
    select
        coalesce(h.caller, s.verified_caller) as service,
        h.caller_env as environment,
        h.callee as verified_by,
        s.start_time_unix_nano,
        try_cast(json_extract_string(s.attributes, '/bindtrace.credential.age_s') as double) as age_s,
        try_cast(json_extract_string(s.attributes, '/bindtrace.credential.remaining_s') as double) as remaining_s
    from hops as h
    join spans as s on s.trace_id = h.trace_id and s.span_id = h.callee_span_id
    where
        h.start_time_unix_nano >= $since
        and h.start_time_unix_nano < $until
        and s.credential_sha256 is not null
        and in_environment($environment, h.caller_env, h.callee_env)
)
select
    service,
    environment,
    arg_max(verified_by, start_time_unix_nano) as verified_by,
    arg_max(age_s, start_time_unix_nano) as age_s,
    arg_max(remaining_s, start_time_unix_nano) as remaining_s,
    count(*) as calls,
    max(start_time_unix_nano)::varchar as last_seen
from shown
group by service, environment
order by age_s desc nulls last, service
