-- Sealed: one row for each seal, written in the same transaction as its rows: whether it is here decides after a crash.
create table if not exists lake.main.sealed (
    seal uuid not null,
    collector varchar not null,
    sealed_unix_nano ubigint not null,
    first_received_unix_nano ubigint,
    last_received_unix_nano ubigint,
    traces ubigint not null,
    spans ubigint not null,
    hops ubigint not null,
    replaced_spans ubigint not null,  -- of traces that were sealed before, and are here anew with their late spans
    digest ubigint not null  -- exclusive or of the spans' hashes
)
