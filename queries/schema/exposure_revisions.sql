-- Exposure revisions: which public paths a manifest opens to which service, in every revision that was read.
create table if not exists exposure_revisions (
    revision varchar not null,
    platform varchar not null,
    scope varchar not null,  -- '': any
    service varchar not null,
    source varchar not null,  -- as the manifest writes it
    pattern varchar not null,  -- the same as a regular expression over the whole path
    file varchar not null,
    line uinteger not null,
    kind varchar not null,  -- route, domain, default-domain, preview, gateway, listener
    host varchar,  -- as in hosts; null: any public host of the scope
    environment varchar  -- null: any
);
