"""`bindtrace import`: what is read, what is refused, and that doing it twice changes nothing."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_requests import one_span
from support import fixture

from bindtrace.collector import reading
from bindtrace.collector.import_command import import_files
from bindtrace.collector.ports import Address
from bindtrace.collector.reading import read_messages, read_pieces
from bindtrace.collector.supervisor import Settings, Supervisor
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import open_database
from bindtrace.queries.lock import acquire
from bindtrace.queries.query import Query


def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(import_files, [str(argument) for argument in arguments], input=stdin)


def as_json(*messages: ExportTraceServiceRequest) -> bytes:
    """One document a line, as protobuf's own printer writes it."""
    return b"".join(json.dumps(MessageToDict(message)).encode() + b"\n" for message in messages)


def spans(db: Path) -> list[int]:
    con = open_database(db)
    try:
        return [row[0] for row in con.execute("select span_id from spans order by 1").fetchall()]
    finally:
        con.close()


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "traces.duckdb"


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
    ("body", "said"),
    [
        (b"", "is empty"),
        (b'{"resourceSpans": [', "is not JSON: "),
        (b'{"resourceLogs": []}', "it looks like OTLP logs"),
        (b'[{"traceId": 1}]', "it looks like a JSON list"),
        (b'{"data": []}', "it looks like JSON with the keys data"),
        (b'[{"traceId": "1", "id": "2", "kind": "BOTH"}]', "[0].kind: 'BOTH' is none of CLIENT"),
        (b'{"traceID": "1", "spans": 7}', "[0].spans: a list of objects is expected"),
        (b'{"b": 1, "a": 2}', "it looks like JSON with the keys a, b"),
        (b"trace_id,span_id\n1,2\n", "is neither JSON nor OTLP protobuf"),
        (b"\x1f\x8b\x08\x00broken", "is a damaged gzip file"),
        (gzip.compress(b"{}" * 9000, mtime=0)[:-20], "is a damaged gzip file"),
        (as_json(one_span(1)) + b"{oops\n", "line 2 of "),
        (b'{"resourceSpans": [{"scopeSpans": 7}]}', "resourceSpans[0].scopeSpans: a list is expected"),
    ],
)
def test_what_is_no_telemetry_is_refused_in_one_line(
    db: Path, tmp_path: Path, body: bytes, said: str
) -> None:
    path = tmp_path / "recorded"
    path.write_bytes(body)

    result = run(path, "--db", db)

    assert result.exit_code == 2
    assert said in result.stderr
    assert " fix: " in result.stderr
    assert result.stderr.count("\n") == 1


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


def test_zipkin_and_jaeger_are_imported_and_their_hops_seen(db: Path) -> None:
    result = run(fixture("zipkin/ascend.json"), fixture("jaeger-ui/otlp2jaeger-out.json"), "--db", db)

    con = open_database(db)
    hops = {(row["caller"], row["callee"]) for row in run_report(con, "hops", Query())}
    con.close()
    assert result.exit_code == 0, result.stderr
    assert ("mobile-gateway", "content-service") in hops
    assert ("mobile-gateway", "auth-service") in hops


def test_a_missing_file_stops_before_anything_is_stored(db: Path, tmp_path: Path) -> None:
    good = tmp_path / "good.json"
    good.write_bytes(as_json(one_span(1)))

    result = run(good, tmp_path / "absent.json", "--db", db)

    assert result.exit_code == 2
    assert f"error: there is no file {tmp_path / 'absent.json'}. fix: " in result.stderr
    assert not db.exists()


def test_importing_twice_changes_nothing(db: Path, tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    path.write_bytes(as_json(one_span(1), one_span(2)))
    first = run(path, "--db", db)

    second = run(path, "--db", db)

    assert (first.exit_code, first.stdout, first.stderr) == (0, "", f"imported 2 spans into {db}\n")
    assert second.stderr == f"imported 0 spans into {db}; 2 spans were there already\n"
    assert spans(db) == [1, 2]


def test_rejected_spans_are_told_with_their_reason(db: Path, tmp_path: Path) -> None:
    bad = one_span(2)
    bad.resource_spans[0].scope_spans[0].spans[0].span_id = b"abc"
    path = tmp_path / "recorded.jsonl"
    path.write_bytes(as_json(one_span(1), bad))

    result = run(path, "--db", db)

    assert result.exit_code == 0
    assert result.stderr == f"imported 1 span into {db}; rejected spans: 1 because span_id is not 8 bytes\n"


def test_standard_input_is_a_file(db: Path) -> None:
    result = run("-", "--db", db, stdin=as_json(one_span(7)))

    assert (result.exit_code, spans(db)) == (0, [7])


def test_what_was_imported_is_analysed_by_the_manifests_that_are_given(db: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "bindtrace.toml"
    manifest.write_text('scope = "shop"\n[services.orders]\n')

    result = run(fixture("captured/envoy-span.json"), "--db", db, "--manifest", manifest)

    con = open_database(db)
    hops, services = (run_report(con, report, Query()) for report in ("hops", "services"))
    con.close()
    assert result.exit_code == 0
    assert hops
    assert "orders" in {row["service"] for row in services}


def test_a_held_database_is_refused_with_its_address(db: Path, tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"
    path.write_bytes(as_json(one_span(1)))
    lock = acquire(db)
    lock.publish({"api": "127.0.0.1:9999"})

    result = run(path, "--db", db)

    lock.release()
    assert result.exit_code == 2
    assert "is held by process" in result.stderr
    assert "ask it with --url http://127.0.0.1:9999" in result.stderr


def test_manifests_are_not_for_a_running_collector(tmp_path: Path) -> None:
    path, manifest = tmp_path / "recorded.json", tmp_path / "bindtrace.toml"
    path.write_bytes(as_json(one_span(1)))
    manifest.write_text('scope = "shop"\n')

    result = run(path, "--url", "http://127.0.0.1:1", "--manifest", manifest)

    assert result.exit_code == 2
    assert "reads its manifests when it starts" in result.stderr


def test_a_collector_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"
    path.write_bytes(as_json(one_span(1)))

    result = run(path, "--url", "http://127.0.0.1:1")

    assert result.exit_code == 2
    assert "no answer from http://127.0.0.1:1" in result.stderr


def test_a_running_collector_answers_with_what_was_imported(db: Path, tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    path.write_bytes(as_json(one_span(1), one_span(2)))
    anywhere = Address("127.0.0.1", 0)
    with Supervisor(Settings(db, anywhere, anywhere, anywhere, receivers=2)) as collector:
        url = f"http://{collector.endpoints['api']}"
        first, second = run(path, "--url", url), run(path, "--url", url)

    assert (first.exit_code, first.stderr) == (0, f"imported 2 spans into {url}\n")
    assert second.stderr == f"imported 0 spans into {url}; 2 spans were there already\n"
    assert spans(db) == [1, 2]
