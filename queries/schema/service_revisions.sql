-- Service revisions: services that a manifest or bindtrace.toml declares, in every revision that was read.
create table if not exists service_revisions (
    revision varchar not null,
    platform varchar not null,
    scope varchar not null,  -- '': any
    service varchar not null,
    exposure varchar,  -- public, internal, or null: what the exposures say
    file varchar not null,
    line uinteger not null,
    environment varchar,  -- null: not said
    sensitive boolean not null,
    protection varchar,  -- the least that any call to it must be protected by: tls, mtls
    outside boolean not null,  -- runs at its users': its traces may enter
    forwarder boolean not null,  -- sends on the telemetry of others
    delegates_for varchar[] not null,  -- services in whose name it calls
    environments varchar[] not null,  -- that share it, beside its own
    only_through varchar[] not null,  -- services of which one must be on the way to it; []: any way
    issuer boolean not null  -- an authority, believed of what it issued
);
