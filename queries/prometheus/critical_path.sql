-- Critical path: what each call alone cost the chain that it is on, in seconds.
-- reads: hops
select
    start_time_unix_nano as moment,
    critical_nano as duration_nano,
    critical_nano / 1e9 as weight,
    coalesce(caller, '(external)') as caller,
    coalesce(callee, '') as callee,
    coalesce(callee_env, caller_env, '') as environment
from every_hop
where critical
