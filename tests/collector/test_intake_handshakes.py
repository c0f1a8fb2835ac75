"""Log records of refused TLS handshakes become spans; other log records are rejected, and said to be."""

from __future__ import annotations

import pytest
from google.protobuf import json_format
from handshakes import SAID, logs, refused
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_compared import Flat, flat

from bindtrace.collector.intakes.handshakes import to_request
from bindtrace.collector.otlp.admit import Admitted, Undecodable, admit
from bindtrace.propagation import vocabulary as words

ORDERS = "spiffe://shop.example/project/p/env/production/service/orders/deployment/7"


def one(record: dict[str, str]) -> Flat:
    request, others = to_request(logs(record))
    assert others == 0
    (span,) = flat(request)
    return span


@pytest.mark.parametrize("reason", SAID)
def test_each_way_in_which_a_handshake_fails_is_a_refused_call_with_its_reason(reason: str) -> None:
    span = one(refused(reason))

    said = span.attributes
    assert (said[words.AUTHZ_REASON], said[words.AUTHZ_DECISION]) == (reason, "deny")
    assert (span.kind, span.start, span.end) == (2, 1_000_000_000, 1_003_000_000)
    assert said["component"] == "proxy"


def test_a_text_that_no_version_wrote_so_far_is_a_handshake_that_failed() -> None:
    span = one({words.HANDSHAKE_FAILURE: "TLS_error:|1:SSL_routines:SOMETHING_NEW"})

    assert span.attributes[words.AUTHZ_REASON] == "handshake_failed"


@pytest.mark.parametrize(
    ("reason", "caller"),
    [("peer_cert_expired", "orders"), ("peer_cert_not_yet_valid", "orders"), ("peer_cert_untrusted", None)],
)
def test_only_a_certificate_of_our_authority_names_a_caller_and_never_proves_it(
    reason: str, caller: str | None
) -> None:
    shown = {words.CALLER_UNVERIFIED: ORDERS, words.VERIFIED_CALLER: ORDERS, words.PEER_ID: ORDERS}

    said = one(refused(reason, **shown)).attributes

    assert said.get(words.CALLER_CLAIMED) == caller
    assert said[words.CALLER_UNVERIFIED] == ORDERS
    assert words.VERIFIED_CALLER not in said
    assert words.PEER_ID not in said


def test_what_envoy_does_not_know_is_not_there() -> None:
    said = one(refused(**{words.CALLER_UNVERIFIED: "-", "tls.protocol.version": "TLSv1.3"})).attributes

    assert words.CALLER_UNVERIFIED not in said
    assert said["tls.protocol.version"] == "TLSv1.3"
    assert (
        "tls.protocol.version"
        not in one(refused("handshake_failed", **{"tls.protocol.version": "TLSv1.2"})).attributes
    )


def test_a_record_that_is_sent_twice_is_one_span_and_two_that_are_alike_are_two() -> None:
    alike = (refused(), refused())

    first, second = flat(to_request(logs(*alike))[0])
    again = flat(to_request(logs(*alike))[0])

    assert first.trace_id != second.trace_id
    assert [span.trace_id for span in again] == [first.trace_id, second.trace_id]


@pytest.mark.parametrize("encoding", ["logs", "logs-json"])
def test_other_records_are_rejected_and_counted_and_the_rest_is_kept(encoding: str) -> None:
    sent = logs(refused(), {"message": "hello"}, {words.HANDSHAKE_FAILURE: "-"})
    body = sent.SerializeToString() if encoding == "logs" else json_format.MessageToJson(sent).encode()

    admitted = admit(body, encoding)  # type: ignore[arg-type]

    assert isinstance(admitted, Admitted)
    assert (admitted.spans, admitted.rejected, admitted.sender) == (1, 2, "inventory/envoy")
    assert words.HANDSHAKE_FAILURE in admitted.message
    assert len(flat(ExportTraceServiceRequest.FromString(admitted.body))) == 1


@pytest.mark.parametrize("body", [b"\xff\xff", b"\x0a\xff\xff\xff\xff\x0f", b"{"])
@pytest.mark.parametrize("encoding", ["logs", "logs-json"])
def test_what_is_no_logs_request_is_refused_and_nothing_is_raised(body: bytes, encoding: str) -> None:
    assert isinstance(admit(body, encoding), Undecodable)  # type: ignore[arg-type]


def test_more_records_than_one_request_may_hold_are_refused_before_they_are_decoded() -> None:
    many = b"\x12\x00" * 300_000  # empty log records
    inner = b"\x12" + _varint(len(many)) + many

    found = admit(b"\x0a" + _varint(len(inner)) + inner, "logs")

    assert isinstance(found, Undecodable)
    assert "50000" in str(found)


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def test_a_certificate_whose_name_is_not_utf_8_hides_nothing() -> None:
    sent = logs(refused("peer_cert_untrusted", **{words.CALLER_UNVERIFIED: "spiffe://\x7f\x7f/x"}), refused())
    body = sent.SerializeToString().replace(b"\x7f\x7f", b"\xff\xfe")

    admitted = admit(body, "logs")

    assert isinstance(admitted, Admitted)
    assert admitted.spans == 2
    reasons = {
        span.attributes[words.AUTHZ_REASON]
        for span in flat(ExportTraceServiceRequest.FromString(admitted.body))
    }
    assert reasons == {"peer_cert_untrusted", "peer_cert_missing"}
    assert admitted.quirks
