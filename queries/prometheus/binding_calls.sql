-- Binding calls: calls that went by a named binding, or for which one was granted.
-- reads: hops
select
    start_time_unix_nano as moment,
    duration_nano,
    1 as weight,
    binding,
    coalesce(caller, '(external)') as caller,
    coalesce(callee, '') as callee,
    coalesce(callee_env, caller_env, '') as environment,
    road,
    verdict
from every_hop
where binding is not null
