-- The traces to analyse again: those with spans of newer loads, and those that share a chain with them.
-- parameters: after, upto (load ids)
-- why: a late span re-opens its trace, and one half of a broken call re-opens the trace of the other half.
create or replace temp table touched as
with fresh as (
    select distinct trace_id
    from spans
    where load_id > $after and load_id <= $upto
),
keys as (
    select trace_id as chain from fresh
    union
    select chain from trace_links join fresh using (trace_id)
),
linked as (
    select trace_id from trace_links join keys using (chain)
    union
    select chain from keys
)
select trace_id from fresh
union
select trace_id from linked
