-- Trace links of the traces that are sealed: of which chain they have hops, where it began in another trace.
-- parameters: seal
-- reads: hops, closing
insert into lake.main.trace_links by name
select distinct
    chain_trace_id as chain,
    trace_id,
    $seal::uuid as seal,
    (
        select date '1970-01-01' + (max(received_unix_nano) // 86400000000000)::integer
        from bindtrace.main.spans semi join closing using (trace_id)
    ) as day
from bindtrace.main.hops
semi join closing using (trace_id)
where chain_trace_id <> trace_id
