-- Chain: every hop of the chain that one trace belongs to, callers before callees.
-- parameters: since, until, environment, trace_id
-- reads: hops, traces, linked_traces
-- why: hops carry the last load of their trace, so that the row groups of all other loads are skipped; the traces of one
--      chain are those that its keys link. `near` is read once: asked for one trace alone it is looked for in all loads.
--      `ids` is a list in between: what comes of a recursion is taken for much, and all of a lake was read (1.0 s for 0.3).
with recursive linked as (
    select $trace_id::uuid as trace_id
    union
    select l.other
    from linked
    join linked_traces as l on l.one = linked.trace_id
),
ids as (
    select unnest((select list(trace_id) from linked)) as trace_id
),
loads as materialized (
    select distinct last_load_id as load_id from traces semi join linked using (trace_id)
    union
    -- what is sealed has load 0
    select 0
),
near as not materialized (
    select hops.* from hops semi join ids using (trace_id) semi join loads using (load_id)
),
chained as not materialized (
    select *
    from near
    qualify
        chain_trace_id = $trace_id::uuid
        or bool_or(trace_id = $trace_id::uuid) over (partition by chain_trace_id)
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
from chained as hops
where
    hops.start_time_unix_nano >= $since
    and hops.start_time_unix_nano < $until
    and in_environment($environment, caller_env, callee_env)
order by depth, hops.corrected_start_unix_nano, hops.anchor_span_id
