-- Long gone: those of new spans that began before what is remembered of sealed traces, where the lake has the trace.
-- parameters: after, upto, forgotten (two load ids, and Unix nanoseconds)
-- reads: spans, traces, recalled, sealed_traces
insert into late
select trace_id
from (
    select trace_id
    from spans
    where load_id > $after and load_id <= $upto and start_time_unix_nano < $forgotten
    group by trace_id
) as old
anti join late using (trace_id)
anti join traces using (trace_id)
anti join recalled using (trace_id)
semi join lake.main.spans as sealed using (trace_id)
