"""Jaeger's JSON becomes OTLP: exports of its API and UI, and the documents that Elasticsearch keeps."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from otlp_compared import Flat, flat, values
from support import fixture

from bindtrace.collector.intakes import jaeger
from bindtrace.collector.otlp.admit import admit_message
from bindtrace.collector.otlp.json import to_protobuf
from bindtrace.collector.otlp.undecodable import Undecodable

SPAN: dict[str, Any] = {
    "traceID": "a1", "spanID": "b1", "operationName": "get", "startTime": 1_000, "duration": 5, "processID": "p1",
}  # fmt: skip
PROCESSES = {"p1": {"serviceName": "orders", "tags": [{"key": "host", "type": "string", "value": "h1"}]}}
PAIRS = {
    **{f"crisp/{name}.json": f"crisp/otlp/{name}.otlp.json" for name in (1, 2, 5, 10, 11, 15, 20, 24)},
    "crisp/err_pattern1/err1.json": "crisp/otlp/err_pattern1-err1.otlp.json",
    "crisp/err_pattern1/err2.json": "crisp/otlp/err_pattern1-err2.otlp.json",
    "jaeger-ui/flamegraph-testTrace.json": "jaeger-ui/otlp/flamegraph-testTrace.otlp.json",
    "deathstarbench/two-traces.json": "deathstarbench/otlp/two-traces.otlp.json",
}


def converted(**given: object) -> Any:
    return jaeger.from_document(
        {"data": [{"traceID": "a1", "spans": [SPAN | given], "processes": PROCESSES}]}
    )


def one(**given: object) -> Flat:
    (span,) = flat(converted(**given))
    return span


def tag(key: str, kind: str, value: object) -> dict[str, object]:
    return {"key": key, "type": kind, "value": value}


def without_messages(spans: list[Flat]) -> list[Flat]:
    return [span._replace(message="") for span in spans]


@pytest.mark.parametrize(("recorded", "copy"), PAIRS.items())
def test_recorded_traces_agree_with_their_otlp_copy(recorded: str, copy: str) -> None:
    """But for the status message: the copies leave the text of an `error` tag in its attribute alone."""
    expected = flat(to_protobuf(fixture(copy).read_bytes()))

    found = flat(jaeger.from_document(orjson.loads(fixture(recorded).read_bytes())))

    assert without_messages(found) == expected


def test_documents_of_elasticsearch_agree_with_their_otlp_copy() -> None:
    """But for logged integers: the documents type them `int64`, and the copy has them as text."""
    lines = fixture("hotrod-jaeger-es/jaeger-span-2023-01-24.json").read_bytes().splitlines()
    documents = [orjson.loads(line) for line in lines if b"traceID" in line]
    expected = flat(
        to_protobuf(fixture("hotrod-jaeger-es/otlp/jaeger-span-2023-01-24.otlp.json").read_bytes())
    )

    found = flat(jaeger.from_document(documents))

    for _, _, attributes in (event for span in found for event in span.events):
        attributes |= {key: str(value) for key, value in attributes.items() if isinstance(value, int)}
    assert len(found) == 379
    assert found == expected


def test_a_trace_in_both_forms_is_one_trace() -> None:
    """Jaeger's form has microseconds, and so the times differ below them."""
    otlp = flat(to_protobuf(fixture("perses/pushbytes_otlp.json").read_bytes()))
    expected = [
        span._replace(start=span.start // 1000, end=(span.start // 1000 + (span.end - span.start) // 1000))
        for span in otlp
    ]

    found = flat(jaeger.from_document(orjson.loads(fixture("perses/pushbytes_jaeger.json").read_bytes())))

    assert [span._replace(start=span.start // 1000, end=span.end // 1000) for span in found] == expected


def test_the_process_becomes_the_resource() -> None:
    assert one().resource == {"service.name": "orders", "host": "h1"}
    assert one(processID="p9").resource == {}
    assert one(process={"serviceName": "inline"}).resource == {"service.name": "inline"}


def test_short_ids_are_padded_on_the_left() -> None:
    span = one(references=[{"refType": "CHILD_OF", "traceID": "a1", "spanID": "c1"}])

    assert (span.trace_id, span.span_id, span.parent_span_id) == (
        "000000000000000000000000000000a1", "00000000000000b1", "00000000000000c1",
    )  # fmt: skip


def test_a_span_id_that_is_not_hex_is_hashed_and_kept() -> None:
    """Seen: CRISP's test traces count their spans A to I."""
    span = one(spanID="G")

    assert (span.span_id, span.attributes) == ("333e0a1e27815d0c", {"source.span_id": "G"})


def test_tags_keep_their_types() -> None:
    tags = [
        tag("s", "string", "x"), tag("b", "bool", True), tag("i", "int64", 7), tag("f", "float64", 1),
        tag("x", "binary", "aGk="), tag("es i", "int64", "7"), tag("es b", "bool", "false"),
        tag("mistyped", "int64", "seven"), tag("untyped", "", 1.5), tag("null", "string", None),
    ]  # fmt: skip

    found = one(tags=tags).attributes

    assert found == {
        "s": "x", "b": True, "i": 7, "f": 1.0, "x": b"hi", "es i": 7, "es b": False,
        "mistyped": "seven", "untyped": 1.5, "null": "",
    }  # fmt: skip
    assert isinstance(found["f"], float)


@pytest.mark.parametrize(
    ("value", "kind", "left"),
    [("server", 2, {}), ("client", 3, {}), ("producer", 4, {}), ("consumer", 5, {}), ("internal", 1, {}),
     ("odd", 1, {"span.kind": "odd"})],
)  # fmt: skip
def test_the_kind_tag_becomes_the_kind(value: str, kind: int, left: dict[str, str]) -> None:
    span = one(tags=[tag("span.kind", "string", value)])

    assert (span.kind, span.attributes) == (kind, left)


def test_the_first_child_of_this_trace_is_the_parent_and_the_rest_are_links() -> None:
    references = [
        {"refType": "FOLLOWS_FROM", "traceID": "a1", "spanID": "c1"},
        {"refType": "CHILD_OF", "traceID": "ffff", "spanID": "c2"},
        {"refType": "CHILD_OF", "traceID": "a1", "spanID": "c3"},
    ]
    span = converted(references=references).resource_spans[0].scope_spans[0].spans[0]

    assert span.parent_span_id.hex() == "00000000000000c3"
    assert [(link.span_id.hex()[-2:], values(link.attributes)) for link in span.links] == [
        ("c1", {"opentracing.ref_type": "follows_from"}),
        ("c2", {"opentracing.ref_type": "child_of"}),
    ]


def test_what_it_follows_from_is_the_parent_where_there_is_no_other() -> None:
    assert (
        one(references=[{"refType": "FOLLOWS_FROM", "traceID": "a1", "spanID": "c1"}]).parent_span_id[-2:]
        == "c1"
    )


def test_the_parent_of_old_documents_is_read() -> None:
    assert one(parentSpanID="c1").parent_span_id == "00000000000000c1"


def test_logs_become_events() -> None:
    logs = [
        {"timestamp": 1_001, "fields": [tag("event", "string", "sent"), tag("n", "int64", 3)]},
        {"timestamp": 1_002, "fields": [tag("message", "string", "x")]},
    ]

    assert one(logs=logs).events == [(1_001_000, "sent", {"n": 3}), (1_002_000, "log", {"message": "x"})]


def test_flags_say_sampled_and_debug() -> None:
    span = converted(flags=3).resource_spans[0].scope_spans[0].spans[0]

    assert (span.flags, values(span.attributes)) == (1, {"jaeger.debug": True})


def test_a_hit_of_a_search_is_read_as_its_document() -> None:
    (span,) = flat(jaeger.from_document([{"_source": SPAN | {"tag": {"http@method": "GET"}}}]))

    assert span.attributes == {"http.method": "GET"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (7, "data: a list of objects is expected"),
        ({"data": [{"spans": 7}]}, "[0].spans: a list of objects is expected"),
        ({"data": [{"spans": [{"tags": {}}]}]}, "[0].spans[0].tags: a list of objects is expected"),
        ({"data": [{"spans": [{"tags": [{"value": 1}]}]}]}, "[0].spans[0].tags[0].key: text is expected"),
        ({"data": [{"spans": [{"startTime": "x"}]}]}, "[0].spans[0].startTime: microseconds"),
        ({"data": [{"spans": [{"logs": [{"timestamp": [1]}]}]}]}, "a number, not list"),
    ],
)
def test_what_is_no_jaeger_is_named_with_its_field(document: object, said: str) -> None:
    with pytest.raises(Undecodable) as fault:
        jaeger.from_document(document)

    assert said in str(fault.value)


def test_a_span_without_a_usable_id_is_rejected_and_the_rest_kept() -> None:
    admitted = admit_message(
        jaeger.from_document([SPAN, SPAN | {"spanID": ""}, SPAN | {"traceID": "0"}]), None
    )

    assert (admitted.spans, admitted.rejected) == (1, 2)
