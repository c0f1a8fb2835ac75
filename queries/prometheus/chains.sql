-- Chains: every way from entry to leaf as one event, with how long its first call took.
-- reads: hops
select
    start_time_unix_nano as moment,
    chain_duration_nano as duration_nano,
    1 as weight,
    array_to_string(path, ' → ') as chain,
    path[1] as entry,
    coalesce(callee_env, caller_env, '') as environment,
    chain_verdict as verdict,
    chain_road as road
from every_hop
where leaf
