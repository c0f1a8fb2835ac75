-- Calls: those of some traces, with the facts that tell which rules concern a call (queries/concerns.py).
-- parameters: traces (UUIDs), first_load, last_load (bounds.sql)
-- reads: hops
-- why: of names that are only asked whether they are there or differ, nothing else is a fact: so few calls differ in them.
select
    trace_id,
    anchor_span_id,
    answered,
    evidence,
    start_time_unix_nano,
    orphan,
    depth,
    left(caller, 0) as caller,
    case when caller_env <> callee_env then 'one' end as caller_env,
    case when caller_env <> callee_env then 'another' end as callee_env,
    left(caller_deployment, 0) as caller_deployment,
    left(callee_deployment, 0) as callee_deployment,
    callee,
    kind,
    left(verified_caller, 0) as verified_caller,
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
