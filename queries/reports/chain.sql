-- Chain: every hop of the chain that one trace belongs to, callers before callees.
-- parameters: since, until, environment, trace_id
-- reads: hops
with wanted as (
    select distinct chain_trace_id
    from hops
    where trace_id = $trace_id::uuid or chain_trace_id = $trace_id::uuid
)
select
    span_hex(anchor_span_id) || case when answered then '' else '!' end as id,
    span_hex(parent_anchor_span_id) as parent,
    trace_hex(parent_trace_id) as parent_trace_id,
    depth,
    trace_hex(trace_id) as trace_id,
    scope,
    caller,
    caller_env,
    callee,
    callee_env,
    kind,
    binding,
    road,
    confidence,
    protection,
    verdict,
    outcome,
    reason,
    grade,
    pairing,
    start_time_unix_nano::varchar as start_time_unix_nano,
    ms(duration_nano) as duration_ms,
    error,
    attempts,
    span_hex(caller_span_id) as caller_span_id,
    span_hex(callee_span_id) as callee_span_id,
    list_transform(evidence, lambda span: span_hex(span)) as evidence,
    via,
    marks,
    corrected_start_unix_nano::varchar as corrected_start_unix_nano,
    ms(network_nano) as network_ms,
    ms(skew_nano) as skew_ms,
    critical,
    ms(critical_nano) as critical_ms,
    error_origin
from hops
join wanted using (chain_trace_id)
where
    hops.start_time_unix_nano >= $since
    and hops.start_time_unix_nano < $until
    and in_environment($environment, caller_env, callee_env)
order by depth, hops.corrected_start_unix_nano, hops.anchor_span_id
