-- Siblings: a gateway that sent its own traceparent and the one it had received; the callee took the received one.
-- reads: nodes, traits, entered, unanswered
-- source: undici's instrumentation sends two traceparent headers where a gateway forwards the one that it received
-- why: one request cannot reach two services. Where server spans of different services have one and the same client
--      span as parent (a lost one proves nothing: it may have been the server of both), and just one of two services
--      was calling and got no answer, the other is what it called. Where that cannot be told, nobody is named caller.
create or replace temp table siblings as
with entries as (
    select
        e.visit, e.parent, k.service,
        n.start_time_unix_nano as start, n.start_time_unix_nano + n.duration_nano as finish
    from entered as e
    semi join (
        select parent from entered where kind = 2 and parent_kind = 3 group by parent having min(name) <> max(name)
    ) using (parent)
    join nodes as n on n.node = e.visit
    join traits as k on k.trait = n.trait
    where e.kind = 2
),
disputed as (
    select parent, count(distinct service) as services
    from entries
    group by parent
    having count(distinct service) > 1
),
calling as (
    -- the calls that the services of a disputed request made without an answer
    select
        e.parent, e.service, u.node, k.claimed_callee,
        n.start_time_unix_nano as start, n.start_time_unix_nano + n.duration_nano as finish
    from entries as e
    join disputed using (parent)
    join unanswered as u on u.visit = e.visit and not u.edge
    join nodes as n on n.node = u.node
    join traits as k on k.trait = n.trait
    where k.db_system is null and k.messaging_system is null
),
possible as (
    -- a server span cannot last longer than the client span that called it, whatever the clocks say
    select e.parent, e.visit, c.service, c.node, c.start::hugeint - e.start as apart
    from entries as e
    join calling as c
        on c.parent = e.parent
        and c.service <> e.service
        and coalesce(c.claimed_callee, e.service) = e.service
        and e.finish - e.start <= c.finish - c.start
),
callers as (
    select parent, any_value(service) as service
    from possible
    group by parent
    having count(distinct service) = 1
),
told as (
    select p.visit, arg_min(p.node, (abs(p.apart), p.node)) as caller_node
    from possible as p
    join disputed as d using (parent)
    join callers as k using (parent)
    where d.services = 2
    group by p.visit
)
select
    e.visit,
    t.caller_node
from entries as e
join disputed as d using (parent)
left join told as t using (visit)
left join callers as k using (parent)
-- the gateway itself was called by the request; everybody else by the gateway or by nobody that can be named
where t.visit is not null or d.services > 2 or k.service is null
