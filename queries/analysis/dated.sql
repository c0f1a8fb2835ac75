-- Dated: every shape of call with the policy that it is judged by: that of its own deployment, else that of its time.
-- reads: placed, judged_by, asked
create or replace temp table dated as
with deployments as (
    select distinct deployment from judged_by where deployment <> ''
)
select
    p.*,
    coalesce(own.deployment, its.deployment, '') as policy_deployment,
    case
        when coalesce(p.peer_id, p.peer_cert_sha256) is not null then 'mtls'
        when p.tls_version is not null or p.url_scheme = 'https' then 'tls'
        -- what a service says in plaintext to its own sidecar tells nothing of the way between
        when p.url_scheme = 'http' and p.via = []
            and p.witnessed_more
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
left join deployments as own on own.deployment = p.caller_deployment
left join deployments as its on its.deployment = p.callee_deployment
