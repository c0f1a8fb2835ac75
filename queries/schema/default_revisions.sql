-- Default revisions: what a platform does with a call that no grant speaks of, in every revision that was read.
create table if not exists default_revisions (
    revision varchar not null,
    platform varchar not null,
    scope varchar not null,  -- '': any
    service varchar,  -- the callee; null: any of the scope
    action varchar not null,  -- allow, deny, audit
    file varchar not null,
    line uinteger not null
);
