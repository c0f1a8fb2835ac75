-- Sealed: that all of it is here.
-- parameters: seal, collector, upto, sealed_unix_nano, replaced_spans
-- reads: spans, hops, closing
insert into lake.main.sealed by name
select
    $seal::uuid as seal,
    $collector::varchar as collector,
    $sealed_unix_nano::ubigint as sealed_unix_nano,
    min(received_unix_nano) as first_received_unix_nano,
    max(received_unix_nano) as last_received_unix_nano,
    (select count(*) from closing) as traces,
    count(*) as spans,
    (select count(*) from bindtrace.main.hops semi join closing using (trace_id)) as hops,
    $replaced_spans::ubigint as replaced_spans,
    coalesce(bit_xor(hash(trace_id, span_id, start_time_unix_nano)), 0) as digest
from bindtrace.main.spans
semi join closing using (trace_id)
where load_id <= $upto
