-- Traces: the first and the last load that brought spans of each.
-- why: a late span's trace is read from the loads that hold it and not from all of history.
create table if not exists traces (
    trace_id uuid not null,
    first_load_id ubigint not null,
    last_load_id ubigint not null
);
