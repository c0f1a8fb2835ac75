-- Late: the sealed traces that new spans belong to, by their id or by what links them.
-- parameters: after, upto (load ids)
-- reads: spans, linked_traces, sealed_traces
-- why: the closure is that of analysis/touched.sql: what is computed anew must all be in one place.
create or replace temp table late as
with recursive wanted as (
    select distinct trace_id
    from spans
    where load_id > $after and load_id <= $upto
    union
    select l.other
    from wanted as w
    join linked_traces as l on l.one = w.trace_id
)
select trace_id from wanted semi join sealed_traces using (trace_id)
