-- Nodes: the spans of the touched traces, numbered in the order of trace and id, each with its parent's number.
-- parameters: first_load, last_load (of the touched traces)
-- reads: touched, traits, spans
-- why: ids of 8 and 16 bytes are joined once, here. `span_id` is the node's name: the span's own id, but for the
--      second of two spans that share one. What is rare of a node is in `oddities`, which the repairs fill.
create or replace temp table oddities (
    node integer,
    own_span_id ubigint,
    shared boolean,  -- the second of two spans with one id
    conflict boolean,  -- it came with more than one content
    cycle boolean  -- its parents led in a circle
);
create or replace temp view odd as
select node, bool_or(shared) as shared, bool_or(conflict) as conflict, bool_or(cycle) as cycle
from oddities
group by node;
create or replace temp table nodes as
with arrived as (
    select
        t.trace,
        s.rowid as arrival,
        s.span_id,
        nullif(s.parent_span_id, s.span_id) as parent_span_id,
        k.trait,
        s.status_code = 2 or coalesce(s.http_status >= 500, false) as error,
        s.http_method,
        s.http_status,
        s.url_path,
        s.proof_sha256,
        s.start_time_unix_nano,
        case
            when s.end_time_unix_nano > s.start_time_unix_nano then s.end_time_unix_nano - s.start_time_unix_nano
            else 0
        end as duration_nano
    from spans as s
    join touched as t using (trace_id)
    join (select trait, unnest(arrivals) as arrival from traits) as k on k.arrival = s.rowid
    -- the bounds let DuckDB skip the row groups of all other loads
    where s.load_id >= $first_load and s.load_id <= $last_load
    -- load, then rowid: the order of arrival. Of a re-sent span the first is the one that counts
    order by t.trace, s.span_id, s.load_id, s.rowid
),
numbered as (
    select
        row_number() over ()::integer as node,
        coalesce(lag(trace) over () = trace and lag(span_id) over () = span_id, false) as again,
        *
    from arrived
)
select
    n.* exclude (parent_span_id),
    k.name,
    k.host,
    k.kind,
    k.edge,
    k.proxy,
    k.remote_parent
from (
    -- before anything else is joined: of how many rows that leaves DuckDB 1.5.5 thinks too little, and hashes them all
    select
        n.*,
        parent.node as parent,
        n.parent_span_id is not null and parent.node is null as orphan
    from numbered as n
    left join (select node, trace, span_id from numbered where not again) as parent
        on parent.trace = n.trace and parent.span_id = n.parent_span_id
) as n
join traits as k using (trait)
