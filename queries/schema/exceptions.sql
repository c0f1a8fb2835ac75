-- Exceptions: findings that somebody accepted, why, and until when.
create table if not exists exceptions (
    rule varchar not null,
    caller varchar,  -- null: any
    callee varchar,  -- null: any
    reason varchar not null,
    until_unix_nano ubigint not null,
    file varchar not null,
    line uinteger not null
);
