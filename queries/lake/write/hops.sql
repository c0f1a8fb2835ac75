-- Hops of the traces that are sealed.
-- parameters: seal
-- reads: hops, closing
insert into lake.main.hops by name
select
    * exclude (load_id)
    replace (corrected_start_unix_nano::decimal(38, 0) as corrected_start_unix_nano),
    $seal::uuid as seal,
    (
        select date '1970-01-01' + (max(received_unix_nano) // 86400000000000)::integer
        from bindtrace.main.spans semi join closing using (trace_id)
    ) as day
from bindtrace.main.hops
semi join closing using (trace_id)
order by chain_trace_id, trace_id, start_time_unix_nano
