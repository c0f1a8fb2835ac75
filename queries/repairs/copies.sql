-- Copies: spans that came more than once, and what they mean: one span re-sent, or two that share one id.
-- parameters: first_load, last_load (of the touched traces)
-- reads: nodes, traits, spans
-- why: a re-sent span must not count twice; Zipkin's client and server share an id, and so may two services. Run only
--      where an id came twice: only of these few is the content read.
create or replace temp table copies as
with copied as (
    select
        n.node, n.trace, n.span_id, n.kind in (2, 5) as serving, k.service,
        hash(s.kind, s.name, s.start_time_unix_nano, s.end_time_unix_nano, s.attributes) as content
    from nodes as n
    semi join (select trace, span_id from nodes where again) using (trace, span_id)
    join traits as k using (trait)
    join spans as s on s.rowid = n.arrival
    where s.load_id >= $first_load and s.load_id <= $last_load
),
meant as (
    select
        trace, span_id, serving, service,
        min(node) as node,
        count(distinct content) > 1 as conflict,
        row_number() over (partition by trace, span_id order by serving, min(node)) as place,
        bool_or(not serving) over (partition by trace, span_id) as has_client
    from copied
    group by trace, span_id, serving, service
)
select
    *,
    first_value(node) over (partition by trace, span_id order by place) as first_node,
    -- as a parent the id was resolved to the node that came first
    min(node) over (partition by trace, span_id) as resolved
from meant
