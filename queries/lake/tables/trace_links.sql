-- Trace links of sealed traces: of a chain, the other traces that have hops of it.
-- why: of the keys by which a trace might be joined to another, only those that did join one are worth keeping.
create table if not exists lake.main.trace_links as
select chain, trace_id, null::uuid as seal, null::date as day from bindtrace.main.trace_links limit 0
