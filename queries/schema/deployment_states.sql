-- Deployment states: what the authority's own spans say of each deployment, and since when.
create table if not exists deployment_states (
    subject varchar not null,  -- the workload, with its deployment
    service varchar not null,
    environment varchar not null,
    deployment varchar not null,
    state varchar not null,  -- active, grace or ended
    since_unix_nano ubigint not null,
    load_id ubigint not null
);
