-- Traces that are back, to be found by the analysis.
-- parameters: load
-- reads: late
insert into bindtrace.main.traces
select trace_id, $load, $load from late
