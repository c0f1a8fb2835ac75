-- Manifests that were read, by revision.
create table if not exists manifests (
    revision varchar not null,
    platform varchar not null,
    scope varchar not null,  -- '': any
    file varchar not null,
    loaded_unix_nano ubigint not null,
    deployment varchar,  -- the platform's id of the deployment or version that the file is of
    max_hops uinteger  -- how long a chain may be
);
