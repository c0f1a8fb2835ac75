-- Sightings: every shape of call with what its spans say of it, each value from the span that knows best.
-- reads: shapes, traits
create or replace temp table sightings as
select
    s.shape,
    s.caller_trait is not null as caller_seen,
    coalesce(s.via, []) as via,
    s.pairing,
    s.joined,
    s.answered,
    s.proof_agrees,
    s.witnessed_more,
    s.client_trait is not null as client_seen,
    s.period,
    s.before_last_issued,
    s.http_method,
    s.url_path,
    caller.service as caller_service,
    caller.scope as caller_scope,
    caller.environment as caller_env,
    caller.deployment as caller_deployment,
    entry.service as entry_service,
    coalesce(entry.scope, caller.scope) as scope,
    coalesce(app.environment, entry.environment) as callee_env,
    coalesce(app.deployment, entry.deployment) as callee_deployment,
    coalesce(app.claimed_caller, entry.claimed_caller) as claimed_caller,
    coalesce(app.claimed_callee, client.claimed_callee) as claimed_callee,
    coalesce(client.claimed_callee, target.claimed_callee) as intended_callee,
    client.binding_name,
    coalesce(client.server_host, edge.server_host, app.server_host) as server_host,
    case when s.caller_trait is not null then client.server_host else edge.server_host end as used_host,
    coalesce(target.server_host, target.proxy_cluster) as target_host,
    client.network_peer_address as peer_address,
    entry.network_peer_address as entry_peer_address,
    coalesce(app.client_address, entry.client_address) as client_address,
    -- a proxy tells the scheme that its own caller used (seen: Envoy), not how it called or was called itself
    coalesce(case when not client.proxy then client.url_scheme end, case when not app.proxy then app.url_scheme end)
        as url_scheme,
    coalesce(entry.peer_id, app.peer_id) as peer_id,
    coalesce(entry.peer_cert_sha256, app.peer_cert_sha256) as peer_cert_sha256,
    coalesce(app.verified_caller, entry.verified_caller) as verified_caller,
    coalesce(app.authz_decision, entry.authz_decision) as authz_decision,
    coalesce(app.authz_reason, entry.authz_reason) as authz_reason,
    coalesce(app.credential_sha256, entry.credential_sha256) as credential_sha256,
    case when app.credential_sha256 is not null then app.accepted_by else entry.accepted_by end as accepted_by,
    coalesce(app.authz_assurance, entry.authz_assurance) as assurance,
    coalesce(app.authz_position, entry.authz_position) as guarded_at,
    coalesce(app.before_log, entry.before_log, false) as before_log,
    coalesce(entry.tls_version, app.tls_version, client.tls_version) as tls_version,
    target.peer_service,
    target.db_system,
    target.db_name,
    target.messaging_system,
    target.messaging_destination,
    coalesce(target.kind in (4, 5) or entry.kind in (4, 5) or client.kind = 4, false) as message,
    coalesce(client.resend_count, 0) as resends,
    coalesce(entry.kind in (2, 5), true) as served,
    list_filter(
        [
            case when s.orphan then 'missing-parent' end,
            case when s.shared then 'shared-id' end,
            case when s.conflict then 'conflicting-copies' end,
            case when s.cycle then 'parent-cycle' end,
            case when s.twice_sent then 'duplicate-traceparent' end,
            case when edge.stripped or app.stripped or entry.stripped then 'headers-stripped' end,
            case when app.failed_open or entry.failed_open then 'failed-open' end,
            case when app.replayed or entry.replayed then 'replayed' end,
            case when app.mutated or entry.mutated then 'headers-mutated' end,
            case when app.unattested or entry.unattested then 'unattested' end,
            case when app.trust_late or entry.trust_late then 'trust-late' end,
            coalesce(app.credential_mark, entry.credential_mark)
        ],
        lambda mark: mark is not null
    ) as marks
from shapes as s
left join traits as caller on caller.trait = s.caller_trait
left join traits as client on client.trait = s.client_trait
left join traits as entry on entry.trait = s.entry_trait
left join traits as app on app.trait = s.app_trait
left join traits as target on target.trait = s.target_trait
left join traits as edge on edge.trait = s.edge_trait
