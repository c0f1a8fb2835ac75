-- Denials: calls that the decision refuses, by the reason.
-- reads: hops
select
    start_time_unix_nano as moment,
    duration_nano,
    1 as weight,
    coalesce(callee, '') as callee,
    reason
from every_hop
where verdict = 'denied' or outcome = 'refused'
