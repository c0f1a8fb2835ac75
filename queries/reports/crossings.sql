-- Crossings: calls that went by a binding, and how many of them were answered by no callee that was seen.
-- parameters: since, until
-- reads: hops
-- why: where none is, although the callee sends spans, the trace context does not cross (seen: @vercel/otel's default).
select caller, binding, count(*) as calls, count(*) filter (not answered) as unanswered
from hops
where
    caller is not null
    and binding is not null
    and start_time_unix_nano >= $since
    and start_time_unix_nano < $until
group by caller, binding
order by caller, binding
