-- Siblings: a gateway that sent its own traceparent and the one it had received; the callee took the received one.
-- reads: nodes, entered, unanswered
-- source: proxies-and-libraries.md 1.4 (two traceparent headers under undici's instrumentation)
-- why: one request cannot reach two services. Where server spans of different services have one and the same client
--      span as parent (a lost one proves nothing: it may have been the server of both), and just one of two services
--      was calling and got no answer, the other is what it called. Where that cannot be told, nobody is named caller.
create or replace temp table siblings as
with entries as (
    select
        e.trace_id, e.visit, n.parent_span_id, n.service, n.nameless,
        n.start_time_unix_nano as start, n.start_time_unix_nano + n.duration_nano as finish
    from entered as e
    join nodes as n on n.trace_id = e.trace_id and n.span_id = e.visit
    join nodes as p on p.trace_id = e.trace_id and p.span_id = n.parent_span_id
    where n.kind = 2 and p.kind = 3
),
disputed as (
    select trace_id, parent_span_id, count(distinct service) as services
    from entries
    group by trace_id, parent_span_id
    having count(distinct service) > 1
),
calling as (
    -- the calls that the services of a disputed request made without an answer
    select
        e.trace_id, e.parent_span_id, e.service, u.span_id, n.claimed_callee,
        n.start_time_unix_nano as start, n.start_time_unix_nano + n.duration_nano as finish
    from entries as e
    join disputed using (trace_id, parent_span_id)
    join unanswered as u on u.trace_id = e.trace_id and u.visit = e.visit and not u.edge
    join nodes as n on n.trace_id = u.trace_id and n.span_id = u.span_id
    where n.db_system is null and n.messaging_system is null
),
possible as (
    -- a server span cannot last longer than the client span that called it, whatever the clocks say
    select e.trace_id, e.parent_span_id, e.visit, c.service, c.span_id, c.start::hugeint - e.start as apart
    from entries as e
    join calling as c
        on c.trace_id = e.trace_id
        and c.parent_span_id = e.parent_span_id
        and c.service <> e.service
        and coalesce(c.claimed_callee, e.service) = e.service
        and e.finish - e.start <= c.finish - c.start
),
callers as (
    select trace_id, parent_span_id, any_value(service) as service
    from possible
    group by trace_id, parent_span_id
    having count(distinct service) = 1
),
told as (
    select p.trace_id, p.visit, arg_min(p.span_id, (abs(p.apart), p.span_id)) as caller_span_id
    from possible as p
    join disputed as d using (trace_id, parent_span_id)
    join callers as k using (trace_id, parent_span_id)
    where d.services = 2
    group by p.trace_id, p.visit
)
select
    e.trace_id,
    e.visit,
    t.caller_span_id
from entries as e
join disputed as d using (trace_id, parent_span_id)
left join told as t using (trace_id, visit)
left join callers as k using (trace_id, parent_span_id)
-- the gateway itself was called by the request; everybody else by the gateway or by nobody that can be named
where t.visit is not null or d.services > 2 or k.service is null
