-- Calls: those of some traces, with the facts that tell which rules concern a call (queries/concerns.py).
-- parameters: traces (UUIDs), first_load, last_load (bounds.sql)
-- reads: hops
select
    trace_id,
    anchor_span_id,
    answered,
    evidence,
    start_time_unix_nano,
    orphan,
    depth,
    caller,
    caller_env,
    caller_deployment,
    callee,
    callee_env,
    callee_deployment,
    kind,
    verified_caller,
    road,
    protection,
    verdict,
    reason,
    guarded_at,
    grade,
    pairing,
    marks
from hops
where load_id >= $first_load and load_id <= $last_load and trace_id in (select unnest($traces::uuid[]))
