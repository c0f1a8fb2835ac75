"""What the columns of spans and resources mean, and every key that senders spell each with, best first. Data only."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from bindtrace.propagation import vocabulary as words

Form = Literal["text", "first", "integer", "address", "authority", "path", "scheme"]
"""How a raw value becomes the column: `first` takes the first element of an array, `address` drops a port,
`authority` gives lower-case host[:port] without a scheme's default port, `path` and `scheme` read a URL."""


class Concept(NamedTuple):
    """One promoted column of `spans` (queries/schema/spans.sql) and its synonyms in order of preference."""

    column: str
    form: Form
    keys: tuple[str, ...]


SPAN_CONCEPTS: Final[tuple[Concept, ...]] = (
    Concept("http_method", "text", ("http.request.method", "http.method")),
    # Envoy sends every tag as a string, so an integer concept reads "200" too.
    Concept("http_status", "integer", ("http.response.status_code", "http.status_code")),
    Concept("http_route", "text", ("http.route",)),
    Concept("url_path", "path", ("url.path", "http.target", "url.full", "http.url")),
    Concept("url_scheme", "scheme", ("url.scheme", "http.scheme", "url.full", "http.url")),
    Concept(
        "server_host",
        "authority",
        (
            "url.full",
            "http.url",
            "server.address",
            "net.peer.name",
            "http.host",
            "http.request.header.host",
        ),
    ),
    Concept(
        "network_peer_address",
        "address",
        # Envoy's peer.address is the other side of its own listener on client spans too (seen: Istio 1.2x).
        ("upstream_address", "network.peer.address", "net.peer.ip", "net.sock.peer.addr", "peer.address"),
    ),
    Concept("client_address", "address", ("client.address", "http.client_ip")),
    Concept("peer_service", "text", ("service.peer.name", "peer.service")),
    Concept("binding_name", "text", (words.BINDING_NAME,)),
    Concept("claimed_caller", "text", (words.CALLER_CLAIMED,)),
    Concept("claimed_callee", "text", (words.CALLEE_CLAIMED,)),
    Concept("claimed_chain", "text", (words.CHAIN,)),
    Concept("claimed_hop", "integer", (words.HOP,)),
    Concept("claimed_env", "text", (words.ENV,)),
    Concept("claimed_deployment", "text", (words.DEPLOYMENT,)),
    Concept("db_system", "text", ("db.system.name", "db.system")),
    Concept("db_name", "text", ("db.namespace", "db.name")),
    Concept("messaging_system", "text", ("messaging.system",)),
    Concept("messaging_destination", "text", ("messaging.destination.name", "messaging.destination")),
    Concept("component", "text", ("component",)),
    Concept("proxy_cluster", "text", ("upstream_cluster", "upstream_cluster.name")),
    Concept("proxy_node", "text", ("node_id",)),
    Concept(
        "request_id",
        "first",
        (
            "guid:x-request-id",
            "http.request.header.x-request-id",
            "http.request.header.x_request_id",
            "vercel.request_id",
            "cloudflare.ray_id",
            "http.request.header.cf-ray",
            "http.request.header.cf_ray",
        ),
    ),
    Concept("resend_count", "integer", ("http.request.resend_count", "http.resend_count")),
    Concept("tls_version", "text", ("tls.protocol.version",)),
    Concept("peer_cert_sha256", "text", ("tls.client.hash.sha256", words.PEER_CERT_SHA256)),
    # Envoy passes the certificate on as a header; propagation/witnesses.py reads the identity in either spelling.
    Concept(
        "peer_id",
        "first",
        (
            words.PEER_ID,
            "tls.client.spiffe",
            "http.request.header.x-forwarded-client-cert",
            "http.request.header.x_forwarded_client_cert",
        ),
    ),
    Concept("verified_caller", "text", (words.VERIFIED_CALLER,)),
    Concept("authz_decision", "text", (words.AUTHZ_DECISION,)),
    Concept("authz_reason", "text", (words.AUTHZ_REASON,)),
    Concept("credential_sha256", "text", (words.CREDENTIAL_SHA256,)),
    Concept("proof_sha256", "text", (words.PROOF_SHA256,)),
    Concept("edge_traceparent", "text", (words.EDGE_TRACEPARENT,)),
    Concept("authz_assurance", "text", (words.AUTHZ_ASSURANCE,)),
    Concept("authz_mode", "text", (words.AUTHZ_MODE,)),
    Concept("authz_position", "text", (words.AUTHZ_POSITION,)),
    Concept("authz_headers_mutated", "text", (words.AUTHZ_HEADERS_MUTATED,)),
    Concept("authz_failure_mode", "text", (words.AUTHZ_FAILURE_MODE,)),
    Concept("authz_replayed", "text", (words.AUTHZ_REPLAYED,)),
    Concept("credential_age_s", "integer", (words.CREDENTIAL_AGE_S,)),
    Concept("credential_remaining_s", "integer", (words.CREDENTIAL_REMAINING_S,)),
    Concept("edge_stripped", "first", (words.EDGE_STRIPPED,)),
    Concept("trust_late", "text", (words.TRUST_LATE,)),
    Concept("target_id", "text", (words.TARGET_ID,)),
)

SERVER_PORT_KEYS: Final = {"server.address": "server.port", "net.peer.name": "net.peer.port"}
"""`authority` joins these address keys with their port, where the address has none."""

CAPTURED_BINDING_HEADER_KEYS: Final = (
    "http.request.header.service-binding",
    "http.request.header.service_binding",
)
"""Header capture is the no-code way: where the span processor did not stamp `claimed_*`, they are read here."""

RESOURCE_CONCEPTS: Final[tuple[Concept, ...]] = (
    Concept(
        "service",
        "text",
        ("service.name", "faas.name", "cloudflare.script_name", "istio.canonical_service"),
    ),
    Concept(
        "scope",
        "text",
        ("vercel.projectId", "vercel.project_id", "cloudflare.account_id", "istio.mesh_id", "aws.app_mesh"),
    ),
    Concept(
        "environment",
        "text",
        ("deployment.environment.name", "deployment.environment", "env"),
    ),
    Concept(
        "deployment",
        "text",
        (
            "vercel.deploymentId",
            "vercel.deployment_id",
            "deployment.id",
            "cloudflare.script_version.id",
            "faas.version",
            "istio.canonical_revision",
            "service.version",
        ),
    ),
    Concept("platform", "text", ("cloud.platform", "cloud.provider")),
    Concept("sdk", "text", ("telemetry.sdk.name",)),
    Concept("hosts", "text", (words.HOSTS, "vercel.host", "vercel.branch_host")),
)
