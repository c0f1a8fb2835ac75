-- Chains: the paths that calls take from entry to leaf, aggregated by the services on them.
-- parameters: since, until, environment, most (only so many, the most frequent; null: all)
-- reads: hops
-- why: paths are many where graphs are deep, and few are asked for: calls are counted by a number, and only the paths that
--      are shown are read and summed up (a third of the cost over seven days). Paths that share a number would stay two.
with counted as (
    select chain_key, count(*) as calls
    from hops
    where
        $most is not null
        and chain_key is not null
        and start_time_unix_nano >= $since
        and start_time_unix_nano < $until
        and in_environment($environment, caller_env, callee_env)
    group by chain_key
),
shown as (
    -- of those that share the last place the signature decides
    select chain_key
    from counted
    where calls >= (select min(calls) from (select calls from counted order by calls desc limit $most))
),
summed as (
    select
        scope,
        callee_env as environment,
        path as signature,
        count(*) as calls,
        count(*) filter (chain_error) as errors,
        quantiles_of(chain_duration_nano) as nano,
        worst_of(['denied', 'unknown', 'allowed'], chain_verdict) as verdict,
        worst_of(['public', 'unknown', 'private', 'binding'], chain_road) as road,
        worst_of(['contradicted', 'inferred', 'claimed', 'verified', 'proven'], chain_grade) as grade,
        arg_max(chain_trace_id, start_time_unix_nano) as example
    from hops
    where
        leaf
        and ($most is null or chain_key in (select chain_key from shown))
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
    grade,
    trace_hex(example) as example_trace_id
from summed
order by calls desc, signature
