-- Hops: every call with its facts, its judgement and the spans that saw it, latest first.
-- parameters: since, until, environment, trace (its id, where one is asked for; null: any)
-- reads: hops
-- why: as a condition on the id itself, files and row groups without the trace are not read.
select
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
    list_transform(evidence, lambda span: span_hex(span)) as evidence
from hops
where
    ($trace is null or trace_id = $trace::uuid)
    and start_time_unix_nano >= $since
    and start_time_unix_nano < $until
    and in_environment($environment, caller_env, callee_env)
order by hops.start_time_unix_nano desc, trace_id, evidence
