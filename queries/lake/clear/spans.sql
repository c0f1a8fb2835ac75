-- Spans that are in the lake.
-- parameters: upto
-- reads: closing
delete from bindtrace.main.spans
where load_id <= $upto and trace_id in (select trace_id from closing)
