-- Hops of traces that are in the lake.
-- reads: closing
delete from bindtrace.main.hops
where trace_id in (select trace_id from closing)
