-- Sealed traces: no longer.
-- reads: late
delete from bindtrace.main.sealed_traces
where trace_id in (select trace_id from late)
