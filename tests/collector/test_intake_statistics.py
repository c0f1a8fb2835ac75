"""Metrics of callers that an Envoy refused become spans that say how many; others are rejected, and said to be."""

from __future__ import annotations

import pytest
from google.protobuf import json_format
from otlp_compared import Flat, flat
from statistics_of_envoy import CUMULATIVE, END, START_MICROS, metrics

from bindtrace.collector.intakes.statistics import to_request
from bindtrace.collector.otlp.admit import Admitted, Undecodable, admit
from bindtrace.collector.otlp.undecodable import NotTaken
from bindtrace.propagation import vocabulary as words


def one(name: str, count: int) -> Flat:
    request, others = to_request(metrics((name, count)))
    assert others == 0
    (span,) = flat(request)
    return span


@pytest.mark.parametrize(
    ("name", "counted", "place"),
    [
        ("listener.ssl.fail_verify_no_cert", "ssl.fail_verify_no_cert", "0.0.0.0_8443"),
        ("listener.[__1]_8443.ssl.fail_verify_error", "ssl.fail_verify_error", "[__1]_8443"),
        ("mesh.listener.ssl.fail_verify_san", "ssl.fail_verify_san", ""),
        ("http.rbac.denied", "rbac.denied", "inbound"),
        ("http.ingress.ext_authz.denied", "ext_authz.denied", "ingress"),
    ],
)
def test_a_count_is_a_span_that_says_how_many_and_where(name: str, counted: str, place: str) -> None:
    span = one(name, 7)

    said = span.attributes
    assert (said[words.STATISTIC_NAME], said[words.STATISTIC_PLACE]) == (counted, place)
    assert said[words.STATISTIC_COUNT] == 7
    assert span.kind == 1


def test_an_interval_whose_beginning_is_in_microseconds_is_read_all_the_same() -> None:
    span = one("http.rbac.denied", 1)

    assert (span.start, span.end) == (START_MICROS * 1000, END)


@pytest.mark.parametrize(
    "name",
    [
        "cluster.inventory.ssl.fail_verify_error",  # a callee that was refused
        "cluster.app.ext_authz.denied",  # the same calls as the listener's, counted twice
        "http.inbound.rbac.reason_shadow_denied",
        "http.inbound.downstream_rq_4xx",
        "http.server.request.duration",
    ],
)
def test_of_other_metrics_nothing_is_taken(name: str) -> None:
    with pytest.raises(NotTaken):
        to_request(metrics((name, 3)))

    request, others = to_request(metrics((name, 3), ("http.rbac.denied", 0)))

    assert (others, flat(request)) == (1, [])


def test_an_envoy_that_has_nothing_to_tell_is_not_refused() -> None:
    request, others = to_request(metrics())

    assert (others, flat(request)) == (0, [])


def test_what_has_come_since_the_start_is_not_taken_for_what_is_new() -> None:
    request, others = to_request(metrics(("http.rbac.denied", 3), temporality=CUMULATIVE))

    assert (others, flat(request)) == (1, [])


@pytest.mark.parametrize("count", [-1, 2**62])
def test_what_is_no_number_of_calls_is_rejected(count: int) -> None:
    assert to_request(metrics(("http.rbac.denied", count)))[1] == 1


@pytest.mark.parametrize("count", [float("nan"), float("inf"), 1.5])
def test_what_is_no_whole_number_is_rejected(count: float) -> None:
    sent = metrics(("http.rbac.denied", 1))
    sent.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points[0].as_double = count

    assert to_request(sent)[1] == 1


def test_a_counter_that_did_not_grow_says_nothing_and_is_not_rejected() -> None:
    request, others = to_request(metrics(("http.rbac.denied", 0)))

    assert (others, flat(request)) == (0, [])


def test_a_point_that_is_sent_twice_is_one_span_and_the_next_is_another() -> None:
    names = [("http.rbac.denied", 2), ("listener.ssl.fail_verify_error", 2)]
    sent = [metrics(*names), metrics(*names), metrics(*names, at=END + 5 * 10**9)]

    first, again, later = ({span.span_id for span in flat(to_request(each)[0])} for each in sent)

    assert first == again
    assert len(first | later) == 4


@pytest.mark.parametrize("encoding", ["metrics", "metrics-json"])
def test_other_points_are_rejected_and_counted_and_the_rest_is_kept(encoding: str) -> None:
    sent = metrics(("http.rbac.denied", 2), ("server.uptime", 9))
    sent.resource_metrics[0].scope_metrics[0].metrics.add(name="h").histogram.data_points.add(count=1)
    body = sent.SerializeToString() if encoding == "metrics" else json_format.MessageToJson(sent).encode()

    admitted = admit(body, encoding)  # type: ignore[arg-type]

    assert isinstance(admitted, Admitted)
    assert (admitted.spans, admitted.rejected, admitted.sender) == (1, 2, "inventory/envoy")
    assert "fail_verify" in admitted.message


@pytest.mark.parametrize("body", [b"\xff\xff", b"\x0a\xff\xff\xff\xff\x0f", b"{"])
@pytest.mark.parametrize("encoding", ["metrics", "metrics-json"])
def test_what_is_no_metrics_request_is_refused_and_nothing_is_raised(body: bytes, encoding: str) -> None:
    found = admit(body, encoding)  # type: ignore[arg-type]

    assert isinstance(found, Undecodable)


@pytest.mark.parametrize("encoding", ["metrics", "metrics-json"])
def test_a_request_that_is_cut_or_damaged_anywhere_is_judged_and_raises_nothing(encoding: str) -> None:
    sent = metrics(("http.rbac.denied", 2), ("listener.ssl.fail_verify_error", 1))
    body = sent.SerializeToString() if encoding == "metrics" else json_format.MessageToJson(sent).encode()

    for at in range(len(body)):
        for damaged in (body[:at], body[:at] + bytes([body[at] ^ 0x81]) + body[at + 1 :]):
            found = admit(damaged, encoding)  # type: ignore[arg-type]
            assert isinstance(found, Admitted | Undecodable)
            assert not isinstance(found, Admitted) or found.spans <= 2


def test_more_points_than_one_request_may_hold_are_refused_before_they_are_decoded() -> None:
    points = b"\x3a" + _sized(b"\x0a\x00" * 1_100_000)  # a sum of empty points
    inner = b"\x12" + _sized(b"\x12" + _sized(points))

    found = admit(b"\x0a" + _sized(inner), "metrics")

    assert isinstance(found, Undecodable)
    assert "1000000" in str(found)


def _sized(content: bytes) -> bytes:
    out, value = b"", len(content)
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value]) + content
