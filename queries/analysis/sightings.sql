-- Sightings: every call with what its spans say of it, each value from the span that knows best.
-- reads: calls, nodes
create or replace temp table sightings as
select
    c.*,
    caller.service as caller_service,
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
    case when c.caller_visit is not null then client.server_host else edge.server_host end as used_host,
    coalesce(target.server_host, target.proxy_cluster) as target_host,
    client.network_peer_address as peer_address,
    coalesce(app.client_address, entry.client_address) as client_address,
    coalesce(edge.url_path, client.url_path, app.url_path) as url_path,
    coalesce(app.http_method, client.http_method) as http_method,
    coalesce(client.http_status, app.http_status, entry.http_status) as http_status,
    -- a proxy tells the scheme that its own caller used (seen: Envoy), not how it called or was called itself
    coalesce(case when not client.proxy then client.url_scheme end, case when not app.proxy then app.url_scheme end)
        as url_scheme,
    coalesce(entry.peer_id, app.peer_id) as peer_id,
    coalesce(entry.peer_cert_sha256, app.peer_cert_sha256) as peer_cert_sha256,
    coalesce(app.verified_caller, entry.verified_caller) as verified_caller,
    coalesce(app.authz_decision, entry.authz_decision) as authz_decision,
    coalesce(app.authz_reason, entry.authz_reason) as authz_reason,
    coalesce(app.credential_sha256, entry.credential_sha256) as credential_sha256,
    coalesce(app.proof_sha256, entry.proof_sha256) as callee_proof_sha256,
    client.proof_sha256 as caller_proof_sha256,
    caller.scope as caller_scope,
    entry.network_peer_address as entry_peer_address,
    coalesce(entry.tls_version, app.tls_version, client.tls_version) as tls_version,
    target.peer_service,
    target.db_system,
    target.db_name,
    target.messaging_system,
    target.messaging_destination,
    coalesce(target.kind in (4, 5) or entry.kind in (4, 5) or client.kind = 4, false) as message,
    coalesce(client.start_time_unix_nano, entry.start_time_unix_nano, target.start_time_unix_nano)
        as start_time_unix_nano,
    coalesce(client.duration_nano, app.duration_nano, target.duration_nano, entry.duration_nano) as duration_nano,
    coalesce(client.error, false) or coalesce(app.error, false) or coalesce(target.error, false) as error,
    coalesce(client.resend_count, 0) as resends,
    client.parent_span_id as client_parent_span_id,
    coalesce(entry.kind in (2, 5), true) as served,
    case
        -- a callee's span that does not fit into its caller's tells how far the two clocks differ; the way there and
        -- back is taken to be equally long (source: jaeger, adjuster/clockskew.go)
        when client.host is null or app.host is null or client.host = app.host then 0
        when app.start_time_unix_nano >= client.start_time_unix_nano
            and app.start_time_unix_nano + app.duration_nano <= client.start_time_unix_nano + client.duration_nano
        then 0
        when app.kind in (4, 5) then 0
        when app.duration_nano > client.duration_nano
        then app.start_time_unix_nano::hugeint - client.start_time_unix_nano
        else app.start_time_unix_nano::hugeint - client.start_time_unix_nano
            - (client.duration_nano - app.duration_nano) // 2
    end as skew_nano,
    case when client.duration_nano >= app.duration_nano then client.duration_nano - app.duration_nano end
        as network_nano,
    list_filter(
        [
            case when c.orphan then 'missing-parent' end,
            case when coalesce(entry.shared or app.shared or target.shared, false) then 'shared-id' end,
            case when coalesce(entry.conflict or app.conflict or client.conflict, false) then 'conflicting-copies' end,
            case when coalesce(entry.cycle or target.cycle, false) then 'parent-cycle' end,
            case when c.twice_sent then 'duplicate-traceparent' end
        ],
        lambda mark: mark is not null
    ) as marks
from calls as c
left join nodes as caller on caller.trace_id = c.caller_trace_id and caller.span_id = c.caller_visit
left join nodes as client on client.trace_id = c.caller_trace_id and client.span_id = c.caller_span_id
left join nodes as entry on entry.trace_id = c.trace_id and entry.span_id = c.entry_span_id
left join nodes as app on app.trace_id = c.trace_id and app.span_id = c.app_span_id
left join nodes as target on target.trace_id = c.trace_id and target.span_id = c.target_span_id
left join nodes as edge on edge.trace_id = c.trace_id and edge.span_id = c.edge_span_id
