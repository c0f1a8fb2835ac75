-- Calls: every call between services, or from outside, as one event.
-- reads: hops
select
    start_time_unix_nano as moment,
    duration_nano,
    1 as weight,
    coalesce(caller, '(external)') as caller,
    coalesce(callee, '') as callee,
    coalesce(callee_env, caller_env, '') as environment,
    road,
    verdict,
    grade
from every_hop
where kind in ('call', 'message')
