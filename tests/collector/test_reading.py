"""Recorded telemetry in all its forms: told apart by content, read in bounded parts, and refused in one line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict
from otlp_requests import as_json, one_span
from support import fixture

from bindtrace.collector import reading
from bindtrace.collector.reading import read_messages, read_pieces
from bindtrace.propagation.errors import Refusal

FORMS = {
    "document": json.dumps(MessageToDict(one_span(1)), indent=1).encode(),
    "one line": as_json(one_span(1)),
    "blank lines first": b"\n\n" + as_json(one_span(1)),
    "byte order mark": b"\xef\xbb\xbf" + as_json(one_span(1)),
    "protobuf": one_span(1).SerializeToString(),
    "gzipped document": gzip.compress(json.dumps(MessageToDict(one_span(1)), indent=1).encode()),
    "gzipped protobuf": gzip.compress(one_span(1).SerializeToString()),
    "with a note": as_json(one_span(1)).replace(b"{", b'{"note": "by hand", ', 1),
}


@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS.keys())
def test_every_form_of_otlp_is_the_same_telemetry(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "recorded"
    path.write_bytes(body)

    assert list(read_messages(str(path))) == [one_span(1)]


@pytest.mark.parametrize("length", [0x7B, 0x5B, 0x0A, 0x22])
def test_protobuf_that_begins_like_json_is_still_protobuf(tmp_path: Path, length: int) -> None:
    """The first byte of OTLP protobuf is a newline, the second a length that may be `{`."""
    message = one_span(1)
    while len(message.SerializeToString()) < length + 2:
        message.resource_spans[0].scope_spans[0].spans[0].name += "x"
    path = tmp_path / "recorded"
    path.write_bytes(message.SerializeToString())

    assert list(read_messages(str(path))) == [message]


def test_json_lines_are_read_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    path.write_bytes(as_json(one_span(1), one_span(2)) + b"\n" + as_json(one_span(3)))

    assert list(read_messages(str(path))) == [one_span(1), one_span(2), one_span(3)]


def test_a_large_document_becomes_requests_of_bounded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_SPANS", 2)
    message = one_span(1)
    scope = message.resource_spans[0].scope_spans[0]
    scope.spans.extend(one_span(number).resource_spans[0].scope_spans[0].spans[0] for number in range(2, 6))
    path = tmp_path / "recorded"
    path.write_bytes(message.SerializeToString())

    assert [piece.request.spans for piece in read_pieces(str(path))] == [2, 2, 1]


@pytest.mark.parametrize(
    ("name", "spans"),
    [
        ("zipkin/ascend.json", 8),
        ("jaeger-ui/otlp2jaeger-out.json", 2),
        ("jaeger-ui/traceWithOverlappingChildren.json", 3),
        ("jaeger-ui/flamegraph-testTrace.json", 4),
        ("jaeger-ui/otlp2jaeger-in.json", 2),
        ("perses/pushbytes_jaeger.json", 3),
        ("perses/pushbytes_otlp.json", 3),
        ("crisp/24.json", 9),
        ("deathstarbench/two-traces.json", 66),
        ("hotrod-jaeger-es/jaeger-span-2023-01-24.json", 379),
        ("kiali-istio-trace/responseTrace.json", 8),
    ],
)
def test_recorded_formats_are_told_apart_by_their_content(name: str, spans: int) -> None:
    pieces = list(read_pieces(str(fixture(name))))

    assert [piece.rejected for piece in pieces] == [0] * len(pieces)
    assert sum(piece.request.spans for piece in pieces) == spans


def test_a_trace_of_tempos_api_is_its_otlp() -> None:
    (found,) = read_messages(str(fixture("kiali-istio-trace/responseTrace.json")))
    (copy,) = read_messages(str(fixture("kiali-istio-trace/otlp/responseTrace.otlp.json")))

    assert found == copy


ZIPKIN_SPAN = {"traceId": "a" * 16, "id": "b" * 16, "timestamp": 1_000, "duration": 5}
STORED_SPAN = {"traceID": "a" * 16, "spanID": "b" * 16, "startTime": 1_000, "duration": 5}
TEMPO = {
    "batches": [{"resource": {}, "scopeSpans": [{"spans": [{"traceId": "a" * 32, "spanId": "b" * 16}]}]}]
}
FOREIGN = {
    "zipkin traces": [[ZIPKIN_SPAN]],
    "one zipkin span": ZIPKIN_SPAN,
    "one stored span": STORED_SPAN,
    "stored spans": [STORED_SPAN],
    "a hit": {"_index": "jaeger-span", "_source": STORED_SPAN},
    "tempo": TEMPO,
    "tempo, second API": {"trace": {"resourceSpans": TEMPO["batches"]}},
}


@pytest.mark.parametrize("document", FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize("indent", [None, 1])
def test_every_form_of_a_foreign_format_is_read(tmp_path: Path, document: object, indent: int | None) -> None:
    path = tmp_path / "recorded"
    path.write_text(json.dumps(document, indent=indent))

    (piece,) = read_pieces(str(path))

    assert (piece.request.spans, piece.rejected) == (1, 0)


def test_lines_of_a_dump_are_stored_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "STORED_AT_ONCE", 4)
    lines = [{"index": {}}, STORED_SPAN] * 3 + [{"resourceSpans": []}, STORED_SPAN]
    path = tmp_path / "recorded"
    path.write_text("\n".join(map(json.dumps, lines)))

    assert [piece.request.spans for piece in read_pieces(str(path))] == [2, 1, 0, 1]


def test_a_fault_in_a_dump_names_the_lines_it_is_among(tmp_path: Path) -> None:
    path = tmp_path / "recorded"
    path.write_text(
        "\n".join(map(json.dumps, [{"resourceSpans": []}, STORED_SPAN, {"spanID": "1", "tags": 7}]))
    )

    with pytest.raises(Refusal, match=r"what begins at line 2 of .*\[1\]\.tags"):
        list(read_messages(str(path)))
