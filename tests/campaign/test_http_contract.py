"""Any HTTP request at all: the answer is one that OTLP knows, in the form that it promises, and the receiver lives.

What schemathesis does from an OpenAPI file, drawn from OTLP's own schema: methods, paths, headers, encodings, and
documents in which any value may be of any type.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest
from campaigning import SEED, quantity
from google.rpc.status_pb2 import Status
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from receiving import Receivers, running_receivers

CODES = {200, 202, 400, 401, 403, 404, 405, 413, 415, 429, 503}
MIB = 1 << 20
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _or_anything(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(right, right, right, right, ANYTHING)


def _object(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return _or_anything(st.fixed_dictionaries({}, optional=dict(fields)))


HEX = st.text("0123456789abcdefABCDEF", min_size=0, max_size=34)
NANO = st.integers(0, 2**65).map(str) | st.integers(0, 2**64)
VALUE = _object(
    stringValue=st.text(max_size=30), intValue=NANO, doubleValue=st.floats() | st.just("NaN"), boolValue=st.booleans(),
    bytesValue=st.text(max_size=12), arrayValue=ANYTHING, kvlistValue=ANYTHING,
)  # fmt: skip
PAIRS = _or_anything(st.lists(_object(key=st.text(max_size=20), value=VALUE), max_size=4))
SPAN = _object(
    traceId=HEX | st.just("a" * 32), spanId=HEX | st.just("b" * 16), parentSpanId=HEX, name=st.text(max_size=20),
    kind=st.integers(-1, 9) | st.sampled_from(["server", "SPAN_KIND_CLIENT"]), startTimeUnixNano=NANO,
    endTimeUnixNano=NANO, attributes=PAIRS, events=st.lists(_object(name=st.text(), attributes=PAIRS), max_size=2),
    links=st.lists(_object(traceId=HEX, spanId=HEX), max_size=2), status=_object(code=st.integers(), message=st.text()),
)  # fmt: skip
DOCUMENT = _object(
    resourceSpans=st.lists(
        _object(
            resource=_object(attributes=PAIRS),
            scopeSpans=st.lists(
                _object(scope=_object(name=st.text()), spans=st.lists(SPAN, max_size=3)), max_size=2
            ),
        ),
        max_size=2,
    )
)
ZIPKIN = _or_anything(
    st.lists(
        _object(traceId=HEX, id=HEX, name=st.text(), kind=st.text(), timestamp=NANO, tags=ANYTHING),
        max_size=3,
    )
)
BODIES = st.one_of(
    DOCUMENT.map(lambda document: json.dumps(document).encode()),
    ZIPKIN.map(lambda document: json.dumps(document).encode()),
    st.binary(max_size=300),
)
PATHS = [
    "/v1/traces",
    "/v1/traces/",
    "/v1/logs",
    "/v1/metrics",
    "/",
    "/api/v2/spans",
    "/zipkin/api/v2/spans",
    "/v1/%2e%2e/x",
]
TYPES = [
    "application/json",
    "application/json; charset=utf-8",
    "application/x-protobuf",
    "text/plain",
    "",
    "é/é",
]
PACK = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": bytes,
    "GZIP, gzip": bytes,
}


@pytest.fixture(scope="module")
def receivers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receivers]:
    with running_receivers(tmp_path_factory.mktemp("contract") / "journal", 1) as running:
        yield running


def test_every_answer_is_one_that_otlp_knows(receivers: Receivers) -> None:
    process = psutil.Process(receivers.processes[0].pid)
    client = httpx.Client(base_url=receivers.url, timeout=10)

    @seed(SEED)
    @settings(
        max_examples=quantity(full=20_000, small=600), deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(
        method=st.sampled_from(["POST"] * 8 + ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]),
        path=st.sampled_from(PATHS[:1] * 8 + PATHS),
        kind=st.sampled_from(TYPES[:1] * 6 + TYPES[2:3] * 2 + TYPES),
        packing=st.sampled_from([""] * 6 + list(PACK)),
        body=BODIES,
        chunked=st.booleans(),
    )
    def each(method: str, path: str, kind: str, packing: str, body: bytes, chunked: bool) -> None:
        packed = PACK[packing](body)
        headers = {"content-type": kind.encode()} | (
            {"content-encoding": packing.encode()} if packing else {}
        )
        answer = client.request(method, path, content=iter((packed,)) if chunked else packed, headers=headers)

        assert answer.status_code in CODES
        if method != "HEAD":
            judge(answer, kind)

    each()
    base = process.memory_info().rss
    each()
    grown = process.memory_info().rss - base
    client.close()

    assert process.is_running()
    assert grown < 50 * MIB


def judge(answer: httpx.Response, kind: str) -> None:
    """The body is what the code promises, in the encoding that was sent."""
    in_protobuf = kind == "application/x-protobuf"
    assert answer.headers["content-type"] == ("application/x-protobuf" if in_protobuf else "application/json")
    if answer.status_code == 202:
        assert answer.content == b""
    elif answer.status_code == 200:
        if in_protobuf:
            ExportTraceServiceResponse.FromString(answer.content)
        else:
            assert set(answer.json()) <= {"partialSuccess"}
    elif in_protobuf:
        assert Status.FromString(answer.content).message
    else:
        assert answer.json()["message"]
    if answer.status_code in (429, 503):
        assert 1 <= int(answer.headers["retry-after"]) <= 5
