"""OTLP log records of refused TLS handshakes, as Envoy's access logger of a listener writes them, to spans. No I/O.

A refused handshake leaves no span, so that whoever has no certificate would not be seen. Each record becomes the SERVER
span of a proxy that refused a call: all behind it works as for other spans. Other log records are not taken.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from bindtrace.collector.intakes.assembly import KINDS, MAX_NANO, SPAN_BYTES, TRACE_BYTES, Assembly, pair
from bindtrace.propagation import vocabulary as words
from bindtrace.propagation.absent import Absent
from bindtrace.propagation.identity.spiffe import parse_workload

OTHER_RECORD: Final = f"it is no refused handshake (it has no `{words.HANDSHAKE_FAILURE}`)"
SPAN_NAME: Final = "TLS handshake"
_NOTHING: Final = ("", "-")
"""How Envoy writes what it does not know."""
_BUILT_IN: Final = ("log_name", "zone_name", "cluster_name", "node_name")


class _Failure(NamedTuple):
    """`issued`: the certificate was one of our authorities', so that what it names was once vouched for."""

    said: re.Pattern[str]
    reason: str
    issued: bool = False


_FAILURES: Final = (
    _Failure(re.compile("PEER_DID_NOT_RETURN_A_CERTIFICATE"), "peer_cert_missing"),
    # BoringSSL looks at times only once the chain leads to one of our authorities (X509_verify_cert)
    _Failure(re.compile("certificate_has_expired"), "peer_cert_expired", issued=True),
    _Failure(re.compile("certificate_is_not_yet_valid"), "peer_cert_not_yet_valid", issued=True),
    _Failure(re.compile("CERTIFICATE_VERIFY_FAILED"), "peer_cert_untrusted"),
    _Failure(re.compile(""), "handshake_failed"),
)
"""What Envoy 1.40 says of BoringSSL's error, the first that matches; the last matches all."""


def to_request(logs: ExportLogsServiceRequest) -> tuple[ExportTraceServiceRequest, int]:
    """The records of refused handshakes as spans, and how many others there were."""
    assembly, others, alike = Assembly(), 0, Counter[bytes]()
    for resource_logs in logs.resource_logs:
        given = _known(resource_logs.resource.attributes)
        resource = [
            *(given[key] for key in given if key not in _BUILT_IN),
            pair("telemetry.sdk.name", words.PROXY_SDKS[0]),
        ]
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                told = _known(record.attributes)
                if words.HANDSHAKE_FAILURE not in told:
                    others += 1
                    continue
                key = b"".join(part.SerializeToString(deterministic=True) for part in (*resource, record))
                alike[key] += 1
                _add(assembly, resource, given.get("node_name"), record, told, b"%d %b" % (alike[key], key))
    return assembly.request, others


def _add(
    assembly: Assembly,
    resource: list[KeyValue],
    node: KeyValue | None,
    record: LogRecord,
    told: dict[str, KeyValue],
    key: bytes,
) -> None:
    """One span; its ids are the record's digest, so that what is sent twice is one."""
    verdict = _verdict(told)
    kept = [attribute for name, attribute in told.items() if name not in verdict]
    kept += [pair(name, value) for name, value in verdict.items() if value is not None]
    if node is not None:
        kept.append(pair("node_id", _text(node)))
    span = assembly.span(resource, kept)
    digest = hashlib.sha256(key).digest()
    span.trace_id, span.span_id = digest[:TRACE_BYTES], digest[TRACE_BYTES : TRACE_BYTES + SPAN_BYTES]
    span.name, span.kind = SPAN_NAME, KINDS["SERVER"]
    span.start_time_unix_nano = record.time_unix_nano or record.observed_time_unix_nano
    took = told.get(words.HANDSHAKE_DURATION_MS)
    text = "" if took is None else _text(took)
    took_ms = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
    span.end_time_unix_nano = min(span.start_time_unix_nano + took_ms * 1_000_000, MAX_NANO)


def _verdict(told: dict[str, KeyValue]) -> dict[str, str | None]:
    """What the refusal means in the words of a verdict; None takes out what the record must not say itself."""
    said = _text(told[words.HANDSHAKE_FAILURE])
    failure = next(failure for failure in _FAILURES if failure.said.search(said))
    shown = told.get(words.CALLER_UNVERIFIED)
    caller = parse_workload(_text(shown)) if shown is not None and failure.issued else Absent("none")
    verdict: dict[str, str | None] = {
        words.AUTHZ_REASON: failure.reason,
        words.AUTHZ_DECISION: "deny",
        words.AUTHZ_WOULD: "deny",
        words.AUTHZ_MODE: "enforce",
        words.AUTHZ_ASSURANCE: "none",
        words.AUTHZ_POSITION: "proxy",
        "component": words.PROXY_COMPONENTS[0],
        # shown and not proven to be held: the handshake ended before the signature was looked at
        words.CALLER_CLAIMED: None if isinstance(caller, Absent) else caller.service,
        words.VERIFIED_CALLER: None,
        words.PEER_ID: None,
    }
    if failure.reason == "handshake_failed":
        verdict["tls.protocol.version"] = None  # none was agreed on, whatever Envoy writes
    return verdict


def _known(attributes: Iterable[KeyValue]) -> dict[str, KeyValue]:
    """By key, the first of each, without those that say nothing."""
    found: dict[str, KeyValue] = {}
    for attribute in attributes:
        is_text = attribute.value.WhichOneof("value") == "string_value"
        if not (is_text and attribute.value.string_value in _NOTHING):
            found.setdefault(attribute.key, attribute)
    return found


def _text(attribute: KeyValue) -> str:
    """Of a text that was not UTF-8, and came as bytes, what can be read; nothing of other values."""
    value = attribute.value
    return (
        value.bytes_value.decode("utf-8", "replace")
        if value.WhichOneof("value") == "bytes_value"
        else value.string_value
    )
