-- Manifests that were read: each revision, and from when to when it was in force.
-- why: a call is judged by the policy of its time, or of its own deployment; so no revision is forgotten.
create table if not exists manifests (
    revision varchar not null,
    platform varchar not null,
    scope varchar not null,  -- '': any
    file varchar not null,
    loaded_unix_nano ubigint not null,
    deployment varchar,  -- the platform's id of the deployment or version that the file is of
    max_hops uinteger,  -- how long a chain may be
    in_force_from_unix_nano ubigint not null,  -- 0: nothing older is known of this file
    in_force_until_unix_nano ubigint  -- null: it still is
);
