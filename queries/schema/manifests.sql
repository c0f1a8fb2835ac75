-- Manifests that were read, by revision.
create table if not exists manifests (
    revision varchar not null,
    platform varchar not null,
    scope varchar not null,  -- '': any
    file varchar not null,
    loaded_unix_nano ubigint not null
);
