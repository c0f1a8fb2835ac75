-- How far analysis has come: the last loader transaction whose traces have their hops.
create table if not exists analysis (
    load_id ubigint not null,
    policy varchar not null  -- digest of the manifests and settings that the stored hops were judged by
);
