-- Spans as received: one row a span, OTLP names, hot attributes as typed columns, the rest kept whole.
-- why: the only primary data; append only, deduplicated when read, everything else can be rebuilt from it.
create table if not exists spans (
    trace_id uuid not null,
    span_id ubigint not null,
    parent_span_id ubigint,  -- null: a root
    trace_state varchar,
    flags uinteger not null,
    name varchar not null,
    kind utinyint not null,
    start_time_unix_nano ubigint not null,
    end_time_unix_nano ubigint not null,
    status_code utinyint not null,
    status_message varchar,
    attributes varchar using compression zstd,  -- JSON object, null when empty
    events varchar using compression zstd,  -- JSON array, null when empty
    links varchar,  -- JSON array, null when empty; too few for zstd, which gives each column blocks of its own
    residue blob,  -- an OTLP Span with just the parts that JSON cannot hold faithfully
    dropped_attributes_count uinteger not null,
    dropped_events_count uinteger not null,
    dropped_links_count uinteger not null,
    resource_id uuid not null,
    instrumentation_scope_id uuid not null,
    received_unix_nano ubigint not null,
    load_id ubigint not null,  -- the loader's transaction: analysis reads what is newer than its watermark
    -- concepts: propagation/vocabulary.py, SPAN_CONCEPTS
    http_method varchar,
    http_status usmallint,
    http_route varchar,
    url_path varchar,
    url_scheme varchar,
    server_host varchar,
    network_peer_address varchar,
    client_address varchar,
    peer_service varchar,
    binding_name varchar,
    claimed_caller varchar,
    claimed_callee varchar,
    claimed_chain varchar,
    claimed_hop usmallint,
    claimed_env varchar,
    claimed_deployment varchar,
    db_system varchar,
    db_name varchar,
    messaging_system varchar,
    messaging_destination varchar,
    component varchar,
    proxy_cluster varchar,
    proxy_node varchar,
    request_id varchar,
    resend_count usmallint,
    tls_version varchar,
    peer_cert_sha256 varchar,
    peer_id varchar,
    verified_caller varchar,
    authz_decision varchar,
    authz_reason varchar,
    credential_sha256 varchar,
    proof_sha256 varchar,
    edge_traceparent varchar
);
