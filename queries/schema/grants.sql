-- Grants: which caller a manifest lets call which callee, and by which line.
create table if not exists grants (
    revision varchar not null,
    platform varchar not null,
    scope varchar not null,  -- '': any
    environment varchar,  -- null: any
    caller varchar not null,
    callee varchar not null,
    binding varchar,
    file varchar not null,
    line uinteger not null
);
