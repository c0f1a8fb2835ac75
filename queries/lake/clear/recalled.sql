-- Recalled of traces that are in the lake.
-- reads: closing
delete from bindtrace.main.recalled
where trace_id in (select trace_id from closing)
