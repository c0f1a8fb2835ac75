-- Chains: the paths that calls take from entry to leaf, aggregated by the services on them.
-- parameters: since, until, environment
-- reads: hops
select
    scope,
    callee_env as environment,
    path as signature,
    count(*) as calls,
    count(*) filter (chain_error) as errors,
    ms(quantile_cont(chain_duration_nano, 0.5)) as p50_ms,
    ms(quantile_cont(chain_duration_nano, 0.95)) as p95_ms,
    ms(quantile_cont(chain_duration_nano, 0.99)) as p99_ms,
    arg_min(chain_verdict, list_position(['denied', 'unknown', 'allowed'], chain_verdict)) as verdict,
    arg_min(chain_road, list_position(['public', 'unknown', 'private', 'binding'], chain_road)) as road,
    trace_hex(arg_max(chain_trace_id, start_time_unix_nano)) as example_trace_id
from hops
where
    leaf
    and start_time_unix_nano >= $since
    and start_time_unix_nano < $until
    and in_environment($environment, caller_env, callee_env)
group by scope, callee_env, path
order by calls desc, signature
