-- Deployment states: what the authority's own spans say of each deployment, and since when.
create table if not exists deployment_states (
    subject varchar not null,  -- the workload, with its deployment
    service varchar not null,
    environment varchar not null,
    deployment varchar not null,
    state varchar not null,  -- active, grace or ended
    since_unix_nano ubigint not null,
    load_id ubigint not null,
    told_by varchar  -- as of issued_credentials
);
create or replace view believed_deployment_states as
select *
from deployment_states
where
    not exists (select 1 from services where issuer)
    or told_by in (select service from services where issuer);
