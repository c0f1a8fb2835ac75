-- Edges: who calls whom by which road, how often, how fast, and the worst that the decision says of it.
-- parameters: since, until, environment
-- reads: hops
-- why: quantiles as in chains.
with summed as (
    select
        scope,
        caller,
        caller_env,
        callee,
        callee_env,
        arg_min(kind, kind) as kind,
        count(*) as calls,
        count(*) filter (error) as errors,
        count(*) filter (verdict = 'denied' or outcome = 'refused') as denied,
        road,
        arg_min(protection, list_position(['plaintext', 'unknown', 'tls', 'mtls'], protection)) as protection,
        arg_min(verdict, list_position(['denied', 'unknown', 'allowed'], verdict)) as verdict,
        arg_min(grade, list_position(['contradicted', 'inferred', 'claimed', 'verified', 'proven'], grade)) as grade,
        quantile_cont(duration_nano, [0.5, 0.95, 0.99]) as nano
    from hops
    where
        start_time_unix_nano >= $since
        and start_time_unix_nano < $until
        and in_environment($environment, caller_env, callee_env)
    group by scope, caller, caller_env, callee, callee_env, road
)
select
    * exclude (nano),
    ms(nano[1]) as p50_ms,
    ms(nano[2]) as p95_ms,
    ms(nano[3]) as p99_ms
from summed
order by scope, caller nulls first, callee, road
