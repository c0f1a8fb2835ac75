-- Bounds: between which loads the spans of some traces are, the last load that was analysed, and the policy in force.
-- parameters: traces (UUIDs, each once), number (of them)
-- reads: traces, analysis, meta, deployment_states
-- why: ids are random, so a question by id alone reads the ids of all of history; loads are in the order of time. A trace
--      that is not known here may be sealed, and what is sealed has load 0.
select
    case when count(*) = $number then min(first_load_id) else 0 end as first_load,
    coalesce(max(last_load_id), 0) as last_load,
    (select coalesce(max(load_id), 0) from analysis) as analysed,
    (select any_value(value) from meta where key = 'policy') as policy,
    (select count(*) || ':' || max(load_id) from deployment_states) as deployments
from traces
where trace_id in (select unnest($traces::uuid[]))
