"""Every word that rooms agree on, once: closed lists, headers, attribute keys. Data only, no I/O.

SQL, command line, JSON, dashboards and tests take their words from here; what senders spell otherwise is in
`concepts.py`. A change is a CHANGELOG line.
"""

from __future__ import annotations

from typing import Final, Literal

# --- closed lists ------------------------------------------------------------------------------------

Road = Literal["binding", "private", "public", "unknown"]
Protection = Literal["mtls", "tls", "plaintext", "unknown"]
Verdict = Literal["allowed", "denied", "unknown"]
Outcome = Literal["passed", "refused", "unknown"]
Grade = Literal["proven", "verified", "claimed", "inferred", "contradicted"]
Confidence = Literal["confirmed", "probable", "suspected"]
Severity = Literal["critical", "high", "medium", "low", "info"]
Pairing = Literal[
    "parent", "remote-ancestor", "shared-id", "link", "binding-header", "proof", "request-id", "none"
]
HopKind = Literal["call", "message", "database", "external"]
Exposed = Literal["public", "internal", "unknown"]

SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "high", "medium", "low", "info")
"""Worst first."""

GRADES: Final[tuple[Grade, ...]] = ("proven", "contradicted", "verified", "claimed", "inferred")
"""Surest first. `contradicted` stands beside `proven`: two witnesses that disagree are proof of a fault."""

PAIRINGS: Final[tuple[Pairing, ...]] = (
    "parent", "remote-ancestor", "shared-id", "link", "binding-header", "proof", "request-id", "none",
)  # fmt: skip
ROADS: Final[tuple[Road, ...]] = ("public", "unknown", "private", "binding")
VERDICTS: Final[tuple[Verdict, ...]] = ("denied", "unknown", "allowed")
"""Worst first: an aggregate shows the worst of its members."""

EXTERNAL: Final = "(external)"
"""How a person sees and asks for an absent caller: the entry of a chain."""
UNSEEN: Final = "(unseen)"
"""The same of an absent callee: a call that nobody was seen to take."""

# --- the Service-Binding header ----------------------------------------------------------------------

BINDING_HEADER: Final = "service-binding"
WIT_HEADER: Final = "workload-identity-token"
WPT_HEADER: Final = "workload-proof-token"
TXN_TOKEN_HEADER: Final = "txn-token"  # noqa: S105  a header's name
CREDENTIAL_HEADERS: Final = (WIT_HEADER, WPT_HEADER, TXN_TOKEN_HEADER)
CLIENT_CERT_HEADER: Final = "client-cert"
XFCC_HEADER: Final = "x-forwarded-client-cert"
FORWARDED_CERT_HEADERS: Final = (CLIENT_CERT_HEADER, XFCC_HEADER)
EDGE_HEADERS: Final = (
    *(BINDING_HEADER, *CREDENTIAL_HEADERS, *FORWARDED_CERT_HEADERS),
    *("client-cert-chain", "l5d-client-id"),
)
EDGE_HEADER_PREFIXES: Final = ("ssl-client-", "x-ssl-client-", "x-bindtrace-")
"""What public listeners take off a request, by canonical name."""
TRACE_HEADERS: Final = ("traceparent", "tracestate")
BAGGAGE_HEADER: Final = "baggage"
EDGE_TRACEPARENT_HEADER: Final = "x-bindtrace-traceparent"
"""Where a proxy keeps, inside itself, the trace that a public request came with."""
ASKED_METHOD_HEADER: Final = "x-bindtrace-method"
ASKED_URI_HEADER: Final = "x-bindtrace-uri"
"""What a proxy is asked for, where it cannot ask by the same method and path (nginx, Caddy)."""

# --- span and resource attributes of ours ------------------------------------------------------------

BINDING_NAME: Final = "bindtrace.binding.name"
CALLER_CLAIMED: Final = "bindtrace.caller.claimed"
CALLEE_CLAIMED: Final = "bindtrace.callee.claimed"
CHAIN: Final = "bindtrace.chain"
HOP: Final = "bindtrace.hop"
ENV: Final = "bindtrace.env"
DEPLOYMENT: Final = "bindtrace.deployment"
HOSTS: Final = "bindtrace.hosts"

# --- what a receiver's own validation says -------------------------------------------------------------

AUTHZ_DECISION: Final = "bindtrace.authz.decision"
AUTHZ_REASON: Final = "bindtrace.authz.reason"
VERIFIED_CALLER: Final = "bindtrace.caller.id"
PEER_ID: Final = "bindtrace.peer.id"
CREDENTIAL_SHA256: Final = "bindtrace.credential.jti_sha256"
PROOF_SHA256: Final = "bindtrace.pop.sha256"
AUTHZ_WOULD: Final = "bindtrace.authz.would"
AUTHZ_MODE: Final = "bindtrace.authz.mode"
AUTHZ_FAILURE_MODE: Final = "bindtrace.authz.failure_mode"
AUTHZ_ASSURANCE: Final = "bindtrace.authz.assurance"
AUTHZ_POSITION: Final = "bindtrace.authz.position"
AUTHZ_HEADER_FIDELITY: Final = "bindtrace.authz.header_fidelity"
AUTHZ_HEADERS_MUTATED: Final = "bindtrace.authz.headers_mutated"
AUTHZ_REPLAY_SCOPE: Final = "bindtrace.authz.replay_scope"
AUTHZ_REPLAYED: Final = "bindtrace.authz.replayed"
BINDING_ID: Final = "bindtrace.binding.id"
BINDING_EPOCH: Final = "bindtrace.binding.epoch"
POLICY_AGE_S: Final = "bindtrace.policy_age_s"
BUNDLE_SEQUENCE: Final = "bindtrace.bundle_seq"
TRUST_LATE: Final = "bindtrace.trust.late"
"""The receiver has not heard of its authority for five refreshes: what was taken back since, it does not know."""
CALLER_DEPLOYMENT: Final = "bindtrace.caller.deployment"
CALLER_UNVERIFIED: Final = "bindtrace.caller.unverified"
"""The subject of a token that did not pass: parsed, never verified. Not `CALLER_CLAIMED`, which a header says."""
TARGET_ID: Final = "bindtrace.target.id"
PEER_CERT_SHA256: Final = "bindtrace.peer.cert_sha256"
PEER_CERT_AGE_S: Final = "bindtrace.peer.cert_age_s"
PEER_CERT_REMAINING_S: Final = "bindtrace.peer.cert_remaining_s"
PROOF_AGE_S: Final = "bindtrace.pop.age_s"
"""By the receiver's clock, of what it refused for its time: negative is before the time that the credential says."""
PEER_VIA: Final = "bindtrace.peer.via"
CREDENTIAL_KID: Final = "bindtrace.credential.kid"
CREDENTIAL_AGE_S: Final = "bindtrace.credential.age_s"
CREDENTIAL_REMAINING_S: Final = "bindtrace.credential.remaining_s"
CREDENTIAL_EXPOSED: Final = "bindtrace.credential.exposed_on_public_path"
EDGE_STRIPPED: Final = "bindtrace.edge.stripped"
EDGE_STRIPPED_SHA256: Final = "bindtrace.edge.stripped_sha256"
EDGE_TRACEPARENT: Final = "bindtrace.edge.traceparent"
"""The trace that came to an edge whose tracer can set no span link (Envoy's); the analysis reads it as one."""
TRACE_EXTERNAL: Final = "bindtrace.trace.external"
"""On the link from a restarted trace to the one that came from outside."""
HANDSHAKE_FAILURE: Final = "bindtrace.handshake.failure"
HANDSHAKE_DURATION_MS: Final = "bindtrace.handshake.duration_ms"
"""Of a proxy's log record: what its TLS library says of a handshake that it refused, and how long it had taken."""
EXPORTER: Final = "bindtrace.exporter"
"""On a resource, written by the receiver alone: who the sender proved to be, where the resource says another."""
STATISTICS_SCOPE: Final = "bindtrace.statistics"
STATISTIC_NAME: Final = "bindtrace.statistic.name"
STATISTIC_PLACE: Final = "bindtrace.statistic.place"
STATISTIC_COUNT: Final = "bindtrace.statistic.count"
"""What a proxy counted of callers that it refused: the scope of these spans, which counter, of which listener or
connection manager, and by how much it grew within the span."""
RESERVED_BAGGAGE: Final = "bindtrace."
GENERATION: Final = "bindtrace.generation"
ISSUED_SUBJECT: Final = "bindtrace.issued.subject"
ISSUED_CALLEE: Final = "bindtrace.issued.callee"
ISSUED_BINDING: Final = "bindtrace.issued.binding"
ISSUED_JTI_SHA256: Final = "bindtrace.issued.jti_sha256"
ISSUED_CERT_SHA256: Final = "bindtrace.issued.cert_sha256"
ISSUED_UNTIL_S: Final = "bindtrace.issued.until_s"
"""On the authority's own spans: what was issued, to whom, to be found again by `CREDENTIAL_SHA256` of a call, or by
`PEER_CERT_SHA256` of one that only a certificate proves."""
DEPLOYMENT_SUBJECT: Final = "bindtrace.deployment.subject"
DEPLOYMENT_STATE: Final = "bindtrace.deployment.state"
DEPLOYMENT_SINCE_S: Final = "bindtrace.deployment.since_s"
"""On the authority's spans of a deployment: which workload, `active`, in `grace` or `ended`, and since when."""
ISSUER_SCOPE: Final = "bindtrace.authority"
"""The instrumentation scope of those spans."""

Assurance = Literal["none", "bearer", "wpt", "mtls", "mtls+wpt"]
Position = Literal["boundary", "outermost", "inner", "unknown", "proxy"]
Mode = Literal["off", "observe", "enforce"]

JUDGEMENTS: Final = ("road", "verdict", "reason", "grade", "finding")
"""What is judged of the call that a span saw; searched and shown as the span attribute `bindtrace.<word>`."""

# --- what others call things -----------------------------------------------------------------------------

UNKNOWN_SERVICE: Final = "unknown_service"
"""What a resource without a name is called (OpenTelemetry: `service.name` defaults to this)."""

PROXY_COMPONENTS: Final = ("proxy",)
PROXY_SDKS: Final = ("envoy",)
"""A span is a proxy's when its `component` or its resource's SDK name is one of these."""

# --- reasons of a verdict -------------------------------------------------------------------------------

REASONS: Final[dict[str, tuple[str, ...]]] = {
    "allowed": ("ok", "ok_bearer", "exempt_path", "not_applicable_public"),
    "request": (
        "credential_missing", "credential_duplicate", "header_alias", "credential_malformed",
        "header_forbidden", "typ_mismatch", "alg_not_allowed", "subject_malformed",
    ),
    "authenticity": (
        "trust_domain_unknown", "key_unknown", "signature_invalid", "claims_invalid", "issuer_mismatch",
        "not_yet_valid", "expired", "lifetime_exceeded", "revoked",
    ),
    "grant": (
        "callee_mismatch", "environment_mismatch", "deployment_mismatch", "binding_unknown",
        "binding_inactive", "binding_epoch_stale", "caller_not_bound", "route_not_allowed",
    ),
    "proof": (
        "pop_missing", "pop_malformed", "pop_key_mismatch", "pop_audience_mismatch", "pop_expired",
        "pop_wit_mismatch", "pop_token_mismatch", "pop_method_mismatch", "pop_uri_mismatch", "pop_replayed",
    ),
    "peer": (
        "peer_cert_missing", "peer_cert_untrusted", "peer_cert_expired", "peer_cert_not_yet_valid",
        "peer_cert_profile", "peer_id_mismatch", "cert_binding_mismatch", "forwarded_cert_untrusted_source",
    ),
    "guard": ("pop_cache_saturated", "internal_error"),
    "system": ("bundle_unavailable", "bundle_stale", "policy_unavailable"),
}  # fmt: skip
"""By class, in the order of the validation; the enum is closed."""

CLASS_OF_REASON: Final[dict[str, str]] = {
    reason: name for name, reasons in REASONS.items() for reason in reasons
}

PROXY_REASONS: Final = ("handshake_failed",)
"""Of a call that a proxy refused before there was anything to validate: plain text, an old TLS."""

JUDGED_REASONS: Final = (
    "declared", "undeclared", "forbidden", "not_shown", "no_manifest", "callee_unknown", "caller_unknown",
)  # fmt: skip
"""For calls that no shim judged. `not_shown`: a policy asks for what no span shows."""

ALL_REASONS: Final = frozenset((*CLASS_OF_REASON, *PROXY_REASONS, *JUDGED_REASONS))
