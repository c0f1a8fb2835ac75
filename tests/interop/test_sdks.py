"""The SDKs that services use, by every protocol they speak: what they made is what is stored, value by value."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from interop.peers import PLACES, peer
from otlp_compared import Flat, flat
from serving import collecting

from bindtrace.collector.otlp.readback import read_requests
from bindtrace.queries.database import open_database

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
TRACES = 40
ATTRIBUTES = {
    "http.request.method": "GET", "http.response.status_code": 200, "ratio": 0.5, "big": 9007199254740991,
    "negative": -3, "ok": True, "list": ["a", "b"], "numbers": [1, 2], "text": "ünïcødé \U0001f980",
}  # fmt: skip


CASES = [
    *(("python", *case) for case in [("grpc", ""), ("grpc", "gzip"), ("http/protobuf", ""), ("http/protobuf", "gzip"),
                                     ("http/protobuf", "deflate")]),
    *(("node", *case) for case in [("grpc", ""), ("grpc", "gzip"), ("http/protobuf", ""), ("http/protobuf", "gzip"),
                                   ("http/json", ""), ("http/json", "gzip")]),
]  # fmt: skip
SENDERS = {
    "python": [sys.executable, str(HERE / "python_sender.py")],
    "node": ["node", str(HERE / "node_sender.cjs")],
}


class Exchange(NamedTuple):
    """What every sender says that it made, and what one collector stored of them all."""

    made: dict[tuple[str, str, str], list[dict[str, Any]]]
    stored: list[Flat]


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    db = tmp_path_factory.mktemp("sdks") / "t.duckdb"
    cases = [case for case in CASES if case[0] != "node" or PLACES["node"].exists()]
    with collecting(db, receivers=1) as collector:
        with ThreadPoolExecutor(2) as pool:
            made = dict(
                zip(cases, pool.map(lambda case: sent(collector.endpoints, *case), cases), strict=True)
            )
        assert collector.stop() == 0
    con = open_database(db)
    spans = [span for request in read_requests(con) for span in flat(request)]
    con.close()
    return Exchange(made, spans)


def sent(endpoints: dict[str, str], sdk: str, protocol: str, compression: str) -> list[dict[str, Any]]:
    """What a sender says that it made, once everything it made was taken."""
    settings = {
        "OTEL_SERVICE_NAME": "cart",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{endpoints['grpc' if protocol == 'grpc' else 'http']}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
    }
    if compression:
        settings["OTEL_EXPORTER_OTLP_COMPRESSION"] = compression
    places = {"PATH": os.environ["PATH"], "NODE_PATH": str(PLACES["node"])}
    done = subprocess.run(
        [*SENDERS[sdk], str(TRACES)],
        env=places | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    made: list[dict[str, Any]] = json.loads(done.stdout)
    return made


@pytest.mark.parametrize(("sdk", "protocol", "compression"), CASES)
def test_what_an_sdk_made_is_stored(exchange: Exchange, sdk: str, protocol: str, compression: str) -> None:
    if sdk == "node":
        peer("node")
    made = exchange.made[sdk, protocol, compression]

    traces = {span["trace_id"] for span in made}
    check([span for span in exchange.stored if span.trace_id in traces], made)


def test_nothing_else_is_stored(exchange: Exchange) -> None:
    assert len(exchange.stored) == sum(map(len, exchange.made.values()))


def check(spans: list[Flat], made: list[dict[str, Any]]) -> None:
    assert len(made) == 2 * TRACES
    assert sorted((span.trace_id, span.span_id, span.parent_span_id, span.kind) for span in spans) == sorted(
        (span["trace_id"], span["span_id"], span["parent_span_id"], span["kind"]) for span in made
    )
    for span in spans:
        assert span.resource["service.name"] == "cart"
        assert span.start <= span.end
        if span.kind == 2:
            assert span.attributes == ATTRIBUTES
        else:
            assert (span.status, span.message) == (2, "refused")
            assert [name for _, name, _ in span.events] == ["retry", "exception"]
            assert isinstance(span.events[0][2]["attempt"], int)
