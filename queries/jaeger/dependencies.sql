-- Dependencies: how often which service called which, proxies folded away.
-- parameters: since, until
-- reads: hops
select caller as parent, callee as child, count(*) as "callCount"
from hops
where
    start_time_unix_nano >= $since
    and start_time_unix_nano < $until
    and caller is not null
    and callee is not null
group by caller, callee
order by caller, callee
