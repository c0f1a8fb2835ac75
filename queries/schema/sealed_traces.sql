-- Sealed traces: those that went into the lake of late.
-- why: a late span's trace is taken back from there, and its hops are computed anew from all of its spans.
create table if not exists sealed_traces (
    trace_id uuid not null,
    sealed_unix_nano ubigint not null
);
