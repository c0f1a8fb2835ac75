-- Sightings: every call with what its spans say of it, each value from the span that knows best.
-- reads: calls, nodes
create or replace temp table sightings as
select
    c.*,
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
    case when c.caller_visit is not null then client.server_host else edge.server_host end as used_host,
    coalesce(target.server_host, target.proxy_cluster) as target_host,
    client.network_peer_address as peer_address,
    coalesce(app.client_address, entry.client_address) as client_address,
    coalesce(edge.url_path, client.url_path, app.url_path) as url_path,
    coalesce(app.http_method, client.http_method) as http_method,
    coalesce(client.http_status, app.http_status, entry.http_status) as http_status,
    coalesce(client.url_scheme, app.url_scheme) as url_scheme,
    coalesce(entry.peer_id, app.peer_id, entry.peer_cert_sha256, app.peer_cert_sha256) as peer_identity,
    coalesce(entry.tls_version, app.tls_version, client.tls_version) as tls_version,
    target.peer_service,
    target.db_system,
    target.db_name,
    target.messaging_system,
    target.messaging_destination,
    coalesce(target.kind in (4, 5) or entry.kind in (4, 5) or client.kind = 4, false) as message,
    coalesce(client.start_time_unix_nano, entry.start_time_unix_nano, target.start_time_unix_nano)
        as start_time_unix_nano,
    coalesce(client.duration_nano, app.duration_nano, target.duration_nano) as duration_nano,
    coalesce(client.error, false) or coalesce(app.error, false) or coalesce(target.error, false) as error,
    1 + greatest(coalesce(client.resend_count, 0), coalesce(app.resend_count, 0)) as attempts
from calls as c
left join nodes as caller on caller.trace_id = c.caller_trace_id and caller.span_id = c.caller_visit
left join nodes as client on client.trace_id = c.caller_trace_id and client.span_id = c.caller_span_id
left join nodes as entry on entry.trace_id = c.trace_id and entry.span_id = c.entry_span_id
left join nodes as app on app.trace_id = c.trace_id and app.span_id = c.app_span_id
left join nodes as target on target.trace_id = c.trace_id and target.span_id = c.target_span_id
left join nodes as edge on edge.trace_id = c.trace_id and edge.span_id = c.edge_span_id
