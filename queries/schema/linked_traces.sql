-- Linked traces: of each trace those that share a chain, a link or a request id with it, both ways.
-- reads: trace_links
-- why: a closure over these is what must be read, or computed anew, together.
create or replace view linked_traces as
select chain as one, trace_id as other from trace_links
union all
select trace_id, chain from trace_links
