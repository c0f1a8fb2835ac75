-- Services that a manifest or bindtrace.toml declares.
create table if not exists services (
    revision varchar not null,
    platform varchar not null,
    scope varchar not null,  -- '': any
    service varchar not null,
    exposure varchar,  -- public, internal, or null: what the exposures say
    file varchar not null,
    line uinteger not null
);
