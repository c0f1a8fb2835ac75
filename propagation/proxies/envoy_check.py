"""What an Envoy configuration lacks for its calls to be seen and proven: a table of questions. Reads text, no I/O.

Asked of every listener's connection manager; a listener without client certificates is asked less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from bindtrace.propagation import vocabulary as words
from bindtrace.propagation.concepts import CAPTURED_BINDING_HEADER_KEYS
from bindtrace.propagation.manifest import Problem
from bindtrace.propagation.platforms import parsing
from bindtrace.propagation.platforms.envoy_rbac import pick
from bindtrace.propagation.platforms.nodes import Node

_MANAGER: Final = "HttpConnectionManager"
_TRACER: Final = "OpenTelemetryConfig"
_SINK: Final = "stat_sinks.open_telemetry.v3.SinkConfig"
_ASKS: Final = "ext_authz.v3.ExtAuthz"
_WHO: Final = ("DOWNSTREAM_PEER_URI_SAN", "x-forwarded-client-cert")


class _Place(NamedTuple):
    """One connection manager, the TLS context of its filter chain, its listener's access log, the Envoy's sinks."""

    manager: Node
    tls: Node
    log: Node
    sinks: Node

    @property
    def tags(self) -> str:
        return str([tag.value for tag in pick(self.manager, "tracing", "custom_tags").elements()]).lower()

    def asking(self) -> Iterator[Node]:
        for filter_ in pick(self.manager, "http_filters").elements():
            config = pick(filter_, "typed_config")
            if config["@type"].text.endswith(_ASKS):
                yield config


class Question(NamedTuple):
    """`mutual`: only of a listener that asks for client certificates. `holds` says whether the evidence is there."""

    code: str
    mutual: bool
    holds: Callable[[_Place], bool]
    missing: str
    fix: str


QUESTIONS: Final = (
    Question(
        "NO_TRACER",
        False,
        lambda place: pick(place.manager, "tracing", "provider", "typed_config")["@type"].text.endswith(
            _TRACER
        ),
        "no OpenTelemetry tracer: a request leaves no span here",
        "set tracing.provider to envoy.tracers.opentelemetry",
    ),
    Question(
        "NO_CALL_SPAN",
        False,
        lambda place: pick(place.manager, "tracing", "spawn_upstream_span").text == "true",
        "one span a request and none for the call onwards: both sides of a call look like one",
        "set tracing.spawn_upstream_span to true",
    ),
    Question(
        "SAMPLED",
        False,
        lambda place: pick(place.manager, "tracing", "random_sampling", "value").text in ("", "100", "100.0"),
        "requests are sampled: a call that is not seen cannot be judged",
        "set tracing.random_sampling to 100",
    ),
    Question(
        "NO_CLAIM",
        False,
        lambda place: words.BINDING_HEADER in place.tags,
        "no span says what the caller claims",
        f"add a custom tag {CAPTURED_BINDING_HEADER_KEYS[0]} of the request header {words.BINDING_HEADER}",
    ),
    Question(
        "NO_PEER",
        True,
        lambda place: any(name.lower() in place.tags for name in _WHO),
        "no span says whose certificate the caller showed",
        f"add a custom tag {words.PEER_ID} with the value %DOWNSTREAM_PEER_URI_SAN%",
    ),
    Question(
        "NO_CERTIFICATE_HASH",
        True,
        lambda place: "downstream_peer_fingerprint_256" in place.tags,
        "no span says which certificate it was, so that none is found among the issued",
        f"add a custom tag {words.PEER_CERT_SHA256} with the value %DOWNSTREAM_PEER_FINGERPRINT_256%",
    ),
    Question(
        "NO_VERDICT",
        True,
        lambda place: words.AUTHZ_REASON in place.tags or any(place.asking()),
        "no span says whether the call was allowed, and by which reason",
        "take the filters and tags of `bindtrace proxy envoy --fragment`",
    ),
    Question(
        "FORGEABLE_CERTIFICATE",
        False,
        lambda place: (
            pick(place.manager, "forward_client_cert_details").text
            not in ("ALWAYS_FORWARD_ONLY", "APPEND_FORWARD", "FORWARD_ONLY")
        ),
        "a client's own X-Forwarded-Client-Cert reaches the service",
        "set forward_client_cert_details to SANITIZE_SET",
    ),
    Question(
        "FAILS_OPEN",
        False,
        lambda place: not any(pick(asked, "failure_mode_allow").text == "true" for asked in place.asking()),
        "calls pass while who is asked is away",
        "set failure_mode_allow to false",
    ),
    Question(
        "RESUMED",
        True,
        lambda place: pick(place.tls, "disable_stateless_session_resumption").text == "true",
        "a resumed session keeps the trust of the day it began",
        "set disable_stateless_session_resumption and disable_stateful_session_resumption to true",
    ),
    Question(
        "OLD_TLS",
        True,
        lambda place: (
            pick(place.tls, "common_tls_context", "tls_params", "tls_minimum_protocol_version").text
            == "TLSv1_3"
        ),
        "TLS older than 1.3 is taken",
        "set tls_params.tls_minimum_protocol_version to TLSv1_3",
    ),
    Question(
        "NO_HANDSHAKE_LOG",
        True,
        lambda place: "DOWNSTREAM_TRANSPORT_FAILURE_REASON" in str(place.log.value),
        "a refused handshake leaves no span: who has no certificate is not seen",
        "give the listener the access_log of `bindtrace proxy envoy --fragment`",
    ),
    Question(
        "NO_REFUSAL_COUNT",
        True,
        lambda place: _SINK in str(place.sinks.value),
        "nobody is told how many were refused: who leaves neither a span nor a record is not even counted",
        "give the bootstrap the stats_sinks of `bindtrace proxy envoy --fragment`",
    ),
    Question(
        "OLD_CONNECTIONS",
        True,
        lambda place: bool(
            pick(place.manager, "common_http_protocol_options", "max_connection_duration").text
        ),
        "a connection outlives the certificate that it began with",
        "set common_http_protocol_options.max_connection_duration to two fifths of a certificate's life",
    ),
)
"""In the order in which they are told."""


def missing(file: str, text: str) -> tuple[Problem, ...]:
    """What each listener lacks, by line. A text that is no Envoy configuration is one fatal problem."""
    documents = parsing.parse_all(file, text)
    if isinstance(documents, Problem):
        return (documents,)
    places = [
        place
        for document in documents
        for place in _places(Node(document, document.root, document.line_of(document.root)))
    ]
    if not places:
        return (
            Problem(file, 1, "NO_LISTENER", "no listener with a connection manager is here.",
                    "give the file that `envoy -c` reads.", fatal=True),
        )  # fmt: skip
    return tuple(
        Problem(file, place.manager.line, asked.code, f"{asked.missing}.", f"{asked.fix}.", fatal=False)
        for place in places
        for asked in QUESTIONS
        if (not asked.mutual or _is_mutual(place.tls)) and not asked.holds(place)
    )


def _is_mutual(tls: Node) -> bool:
    return pick(tls, "require_client_certificate").text == "true"


def _places(root: Node) -> Iterator[_Place]:
    for listener in pick(root, "static_resources", "listeners").elements():
        for chain in pick(listener, "filter_chains").elements():
            tls = pick(chain, "transport_socket", "typed_config")
            for filter_ in pick(chain, "filters").elements():
                manager = pick(filter_, "typed_config")
                if manager["@type"].text.endswith(f".{_MANAGER}"):
                    yield _Place(manager, tls, pick(listener, "access_log"), pick(root, "stats_sinks"))
