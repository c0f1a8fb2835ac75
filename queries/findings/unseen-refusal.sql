-- Unseen refusal: a proxy counted more callers that it refused than its spans and records tell of.
-- severity: medium
-- category: identity
-- status: preview, since 0.1
-- kind: subjects
-- quiet: 30 s
-- reads: spans, hops, instrumentation_scopes, identities
-- parameters: since, until, environment, now, quiet
-- message: {callee} refused at least {calls} of which nothing says who called ({counters}; spans and records tell of {told}).
-- why: whoever is refused unseen can try again unseen.
-- fix: give its listener the access_log of `bindtrace proxy envoy --fragment`, and look whether its spans are sampled or lost.
-- check: bindtrace findings --rule unseen-refusal --callee {callee} --since 10m
-- may be wrong when: refusals of before the window are reported within it, or more than half a minute late; or hops are kept for less time than spans.
-- source: Envoy's listener and RBAC statistics
with counted as (
    select distinct
        s.trace_id,
        s.span_id,
        n.scope,
        n.service as callee,
        n.environment as callee_env,
        json_extract_string(s.attributes, '$."bindtrace.statistic.name"') as counter,
        json_extract_string(s.attributes, '$."bindtrace.statistic.place"') as place,
        json_extract_string(s.attributes, '$."bindtrace.statistic.count"')::bigint as calls,
        counter like 'ssl.%' as handshake,
        s.start_time_unix_nano,
        s.end_time_unix_nano
    from spans as s
    join instrumentation_scopes as i using (instrumentation_scope_id)
    join identities as n using (resource_id)
    where
        i.name = 'bindtrace.statistics'
        and s.start_time_unix_nano >= $since
        and s.end_time_unix_nano < $until
        and in_environment($environment, null, n.environment)
        and ($quiet = 0 or s.end_time_unix_nano + $quiet <= $now)
),
counters as (
    select
        scope,
        callee,
        callee_env,
        handshake,
        sum(calls)::bigint as calls,
        min(start_time_unix_nano) as first_seen,
        max(end_time_unix_nano) as last_seen,
        arg_max(trace_id, end_time_unix_nano) as trace_id,
        arg_max(span_id, end_time_unix_nano) as span_id,
        list(distinct counter || case when place <> '' then ' of ' || place else '' end) as names
    from counted
    group by scope, callee, callee_env, handshake
),
refused as (
    -- all that the service is known to have refused, by whomever it was told: what is left is a lower bound
    select
        scope,
        callee,
        callee_env,
        reason in ('peer_cert_missing', 'peer_cert_untrusted', 'peer_cert_expired', 'peer_cert_not_yet_valid')
            as handshake,
        count(*) as calls
    from hops
    where verdict = 'denied' and outcome = 'refused'
    group by all
),
unseen as (
    select c.*, coalesce(r.calls, 0) as told, c.calls - coalesce(r.calls, 0) as untold
    from counters as c
    left join refused as r
        on r.callee = c.callee
        and r.scope is not distinct from c.scope
        and r.callee_env is not distinct from c.callee_env
        and r.handshake = c.handshake
    where c.calls > coalesce(r.calls, 0)
)
select
    scope,
    callee,
    callee_env,
    -- whoever sends spans as the service could have sent these
    'claimed' as grade,
    sum(untold)::bigint as "count",
    min(first_seen) as first_seen,
    max(last_seen) as last_seen,
    trace_hex(arg_max(trace_id, last_seen)) as trace_id,
    [span_hex(arg_max(span_id, last_seen))] as span_ids,
    json_object(
        'calls', string_agg(
            format('{} {}{}', untold, case when handshake then 'TLS handshake' else 'request' end, case when untold = 1 then '' else 's' end),
            ' and ' order by handshake desc
        ),
        'counters', array_to_string(list_sort(flatten(list(names))), ', '),
        'told', sum(told)::bigint
    ) as evidence
from unseen
group by scope, callee, callee_env
