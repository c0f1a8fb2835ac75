-- Traces of traces that are in the lake.
-- reads: closing
delete from bindtrace.main.traces
where trace_id in (select trace_id from closing)
