-- Traces: those whose id begins with the given digits, latest first; empty digits mean all.
-- parameters: since, until, environment, prefix
-- reads: hops
-- why: `bindtrace chain` takes the beginning of an id, and offers the nearest ones for an id that it does not know.
select
    trace_hex(trace_id) as trace_id,
    count(*) as hops,
    min(start_time_unix_nano)::varchar as first_seen,
    max(start_time_unix_nano)::varchar as last_seen
from hops
where
    -- a range, not a text comparison, so that row groups of other ids are skipped
    trace_id between rpad($prefix, 32, '0')::uuid and rpad($prefix, 32, 'f')::uuid
    and start_time_unix_nano >= $since
    and start_time_unix_nano < $until
    and in_environment($environment, caller_env, callee_env)
group by trace_id
order by max(start_time_unix_nano) desc, trace_id
