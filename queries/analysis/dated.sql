-- Dated: every call with the policy that it is judged by: that of its own deployment, else that of its time.
-- reads: placed, policy_periods, policy_of_calls, grant_revisions, policy_revisions
-- why: of a request's path, host and the like only what some policy asks for tells two calls apart.
create or replace temp table periods as
select * from policy_periods;
create or replace temp table judged_by as
select period, coalesce(deployment, '') as deployment, revision from policy_of_calls;
create or replace temp table asked as
select
    coalesce(bool_or(field = 'method'), false) as method,
    coalesce(bool_or(field = 'path'), false) as path,
    coalesce(bool_or(field in ('host', 'port', 'port_name', 'listener_port')), false) as host,
    coalesce(bool_or(field = 'source_address'), false) as address,
    count(*) > 0 as anything
from (
    select 'method' as field from grant_revisions semi join judged_by using (revision) where methods <> []
    union
    select 'path' from grant_revisions semi join judged_by using (revision) where paths <> []
    union
    select '' from policy_revisions semi join judged_by using (revision)
    union
    select unnest(asks) from policy_revisions semi join judged_by using (revision)
);
create or replace temp view dated as
with deployments as (
    select distinct deployment from judged_by where deployment <> ''
)
select
    p.*,
    q.since_unix_nano as period,
    coalesce(own.deployment, its.deployment, '') as policy_deployment,
    case
        when coalesce(p.peer_id, p.peer_cert_sha256) is not null then 'mtls'
        when p.tls_version is not null or p.url_scheme = 'https' then 'tls'
        -- what a service says in plaintext to its own sidecar tells nothing of the way between
        when p.url_scheme = 'http' and p.via = []
            and len(p.evidence) > (p.caller_span_id is not null)::integer + p.answered::integer
            then 'unknown'
        when p.url_scheme = 'http' then 'plaintext'
        else 'unknown'
    end as protection,
    case when a.method then p.http_method end as asked_method,
    case when a.path then p.url_path end as asked_path,
    case when a.host then coalesce(p.used_host, p.target_host, p.server_host) end as asked_host,
    case when a.address then p.entry_peer_address end as asked_address,
    case when a.anything then coalesce(p.peer_identity, p.verified_identity) end as asked_identity
from placed as p
cross join asked as a
join periods as q
    on p.start_time_unix_nano >= q.since_unix_nano and p.start_time_unix_nano < q.until_unix_nano
left join deployments as own on own.deployment = p.caller_deployment
left join deployments as its on its.deployment = p.callee_deployment
