-- Latency: per chain, which of its hops cost the time and where its errors began, with traces to look at.
-- parameters: since, until, environment
-- reads: hops
-- why: a slow chain has one slow hop; the share of the critical path says which, and the origin says whose error it is.
with leaves as (
    select
        path as signature,
        chain_trace_id,
        any_value(chain_duration_nano) as chain_nano,
        bool_or(chain_error) as failed
    from hops
    where
        leaf
        and start_time_unix_nano >= $since
        and start_time_unix_nano < $until
        and in_environment($environment, caller_env, callee_env)
    group by path, chain_trace_id
),
typical as (
    select signature, median(chain_nano) as median_nano from leaves group by signature
),
examples as (
    select
        l.signature,
        arg_max(l.chain_trace_id, (l.chain_nano, l.chain_trace_id)) as slowest,
        arg_max(l.chain_trace_id, (l.chain_nano, l.chain_trace_id)) filter (l.failed) as failing,
        arg_min(l.chain_trace_id, (abs(l.chain_nano - t.median_nano), l.chain_trace_id)) as typical
    from leaves as l
    join typical as t using (signature)
    group by l.signature
)
select
    l.signature,
    h.caller,
    h.callee,
    count(*) as calls,
    round(coalesce(sum(h.critical_nano) / nullif(sum(l.chain_nano), 0), 0), 4) as critical_share,
    ms(quantile_cont(h.critical_nano, 0.5)) as critical_p50_ms,
    count(*) filter (h.error) as errors,
    count(*) filter (h.error_origin) as error_origins,
    trace_hex(any_value(e.slowest)) as slowest_trace_id,
    trace_hex(any_value(e.failing)) as failing_trace_id,
    trace_hex(any_value(e.typical)) as typical_trace_id
from leaves as l
join hops as h
    on h.chain_trace_id = l.chain_trace_id
    and h.path = list_slice(l.signature, 1, len(h.path))
join examples as e on e.signature = l.signature
group by l.signature, h.caller, h.callee, len(h.path)
order by l.signature, len(h.path)
