-- Recalled: traces that are in the lake and were taken back because of a late span: what the lake has of them is void.
create table if not exists recalled (
    trace_id uuid not null,
    spans ubigint not null  -- that are in the lake as well
);
