-- Window: from when to when the calls of one trace began; null where it has none.
-- parameters: trace_id
-- reads: hops
select min(start_time_unix_nano) as since, max(start_time_unix_nano) + 1 as until
from hops
where trace_id = $trace_id
