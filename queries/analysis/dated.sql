-- Dated: every shape of call with the policy that it is judged by: that of its own deployment, else that of its time.
-- reads: sightings, placed, judged_by, asked
create or replace temp table dated as
with deployments as (
    select distinct deployment from judged_by where deployment <> ''
)
select
    s.* exclude (caller_deployment),
    p.* exclude (shape),
    coalesce(own.deployment, its.deployment, '') as policy_deployment,
    case
        when coalesce(s.peer_id, s.peer_cert_sha256) is not null then 'mtls'
        when s.tls_version is not null or s.url_scheme = 'https' then 'tls'
        -- what a service says in plaintext to its own sidecar tells nothing of the way between
        when s.url_scheme = 'http' and s.via = []
            and s.witnessed_more
            then 'unknown'
        when s.url_scheme = 'http' then 'plaintext'
        else 'unknown'
    end as protection,
    s.http_method as asked_method,
    case when a.path then s.url_path end as asked_path,
    case when a.host then coalesce(s.used_host, s.target_host, s.server_host) end as asked_host,
    case when a.address then s.entry_peer_address end as asked_address,
    case when a.anything then coalesce(p.peer_identity, p.verified_identity) end as asked_identity
from placed as p
join sightings as s using (shape)
cross join asked as a
left join deployments as own on own.deployment = p.caller_deployment
left join deployments as its on its.deployment = s.callee_deployment
