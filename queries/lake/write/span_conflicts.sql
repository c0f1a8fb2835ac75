-- Span conflicts of the traces that are sealed.
-- parameters: seal
-- reads: span_conflicts, closing
insert into lake.main.span_conflicts by name
select
    *,
    $seal::uuid as seal,
    date '1970-01-01' + (received_unix_nano // 86400000000000)::integer as day
from bindtrace.main.span_conflicts
semi join closing using (trace_id)
