-- Chains: the paths that calls take from entry to leaf, aggregated by the services on them.
-- parameters: since, until, environment
-- reads: hops
-- why: of one list of quantiles the durations are kept and sorted once, not three times.
with summed as (
    select
        scope,
        callee_env as environment,
        path as signature,
        count(*) as calls,
        count(*) filter (chain_error) as errors,
        quantile_cont(chain_duration_nano, [0.5, 0.95, 0.99]) as nano,
        arg_min(chain_verdict, list_position(['denied', 'unknown', 'allowed'], chain_verdict)) as verdict,
        arg_min(chain_road, list_position(['public', 'unknown', 'private', 'binding'], chain_road)) as road,
        arg_max(chain_trace_id, start_time_unix_nano) as example
    from hops
    where
        leaf
        and start_time_unix_nano >= $since
        and start_time_unix_nano < $until
        and in_environment($environment, caller_env, callee_env)
    group by scope, callee_env, path
)
select
    scope,
    environment,
    signature,
    calls,
    errors,
    ms(nano[1]) as p50_ms,
    ms(nano[2]) as p95_ms,
    ms(nano[3]) as p99_ms,
    verdict,
    road,
    trace_hex(example) as example_trace_id
from summed
order by calls desc, signature
