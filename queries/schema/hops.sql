-- Hops: one logical call from caller to callee, folded from the spans that saw it, with its facts.
-- why: derived, rebuilt from spans at will; stored so that a question costs the window and not the history.
create table if not exists hops (
    trace_id uuid not null,
    anchor_span_id ubigint not null,  -- callee's entry span, else the caller's client span
    answered boolean not null,  -- whether the callee was seen; with the two ids above the hop's name
    orphan boolean not null,  -- the callee's span names a parent that was never seen
    parent_trace_id uuid,  -- the hop that entered the caller; null: this hop begins a chain
    parent_anchor_span_id ubigint,
    chain_trace_id uuid not null,  -- trace of the chain's first hop
    depth usmallint not null,
    leaf boolean not null,
    path varchar[] not null,  -- services from the chain's entry to the callee
    chain_key ubigint,  -- of a leaf: digest of its scope, environment and path, to count by; null: no leaf
    chain_verdict varchar not null,  -- the worst from the entry to here
    chain_road varchar not null,  -- the worst from the first internal call to here
    chain_grade varchar not null,  -- the worst from the first internal call to here; of the entry only where it is contradicted
    chain_error boolean not null,
    chain_duration_nano ubigint not null,  -- of the chain's first hop
    scope varchar,
    caller_scope varchar,
    caller varchar,  -- null: (external) or unseen
    caller_env varchar,
    callee varchar,  -- null: unseen
    callee_env varchar,
    edge varchar not null,  -- the six that make one, road too, as a JSON array: calls are summed up by one column
    caller_deployment varchar,
    callee_deployment varchar,
    kind varchar not null,
    binding varchar,
    claimed_caller varchar,
    claimed_callee varchar,
    verified_caller varchar,  -- the identity that the callee's own check found
    peer_caller varchar,  -- the identity of the certificate that the callee saw
    server_host varchar,
    url_path varchar,
    http_method varchar,
    http_status usmallint,
    road varchar not null,
    confidence varchar,
    protection varchar not null,
    verdict varchar not null,
    outcome varchar not null,
    reason varchar not null,
    assurance varchar,  -- what the callee's guard had its caller proven by; null: no guard says
    guarded_at varchar,  -- where the callee's guard stands: boundary, outermost, inner, unknown or proxy; null: none is seen
    grade varchar not null,
    pairing varchar not null,
    grant_file varchar,
    grant_line uinteger,
    grant_road varchar not null,  -- binding, or public: declared to go by the public name
    start_time_unix_nano ubigint not null,
    duration_nano ubigint not null,
    error boolean not null,
    error_origin boolean not null,  -- failed, and nothing below it did
    attempts usmallint not null,
    caller_span_id ubigint,
    callee_span_id ubigint,
    skew_nano bigint not null,  -- callee's clock less caller's, where its span does not fit into the caller's
    network_nano ubigint,  -- caller's duration less callee's: the way there and back
    corrected_start_unix_nano hugeint not null,  -- on the clock of the chain's first host
    critical boolean not null,  -- on the critical path of its chain
    critical_nano ubigint not null,  -- what it alone cost there
    marks varchar[] not null,  -- what was odd about its spans, and how it was settled
    via varchar[] not null,  -- edges that carried the call
    evidence ubigint[] not null,  -- span ids, caller's side first
    load_id ubigint not null  -- the last load with a span of its trace: finds a trace's hops without all of history
);
