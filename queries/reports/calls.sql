-- Calls: every distinct call as a policy sees it, with how often it was made, how it was judged, and an example.
-- parameters: since, until, environment, with_paths
-- reads: hops
-- why: another policy is tried on these few rows and not on all of history. Paths, which may be as many as the calls,
-- are told apart where with_paths is true, and always where a call came from outside: there the path is what is open.
with shown as (
    select
        *,
        caller is null and (road = 'public' or via <> []) as from_outside,
        case when $with_paths::boolean or caller is null then url_path end as shown_path,
        make_timestamp_ns(start_time_unix_nano::bigint)::date as day
    from hops
    where
        start_time_unix_nano >= $since
        and start_time_unix_nano < $until
        and in_environment($environment, caller_env, callee_env)
)
select
    scope,
    caller_scope,
    caller,
    caller_env,
    callee,
    callee_env,
    caller_deployment,
    callee_deployment,
    kind,
    http_method as method,
    shown_path as path,
    server_host as host,
    protection,
    peer_caller,
    verified_caller,
    from_outside,
    binding,
    road,
    verdict,
    reason,
    outcome,
    grade,
    grant_file as file,
    grant_line as line,
    count(*) as calls,
    count(distinct day) as days,
    min(start_time_unix_nano)::varchar as first_seen,
    max(start_time_unix_nano)::varchar as last_seen,
    trace_hex(arg_max(trace_id, start_time_unix_nano)) as example_trace_id
from shown
group by all
order by calls desc, caller, callee, method, path, reason, first_seen, last_seen, example_trace_id, host, road, grade
