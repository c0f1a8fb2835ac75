"""Coverage-guided fuzz of admission and decode: `python fuzz_admission.py SECONDS [CORPUS]`.

Needs `atheris`. The first byte chooses the encoding; what is admitted must decode to exactly the spans that admission
counted. A crash, a hang of 5 s or 1 GiB of memory ends it with the input in `crash-…` in the working
directory: it then becomes a vector in `tests/collector/test_admission_malformed.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final, get_args

import atheris
from google.protobuf import json_format
from google.protobuf.message import Message

with atheris.instrument_imports(
    include=["bindtrace.collector.intakes", "bindtrace.collector.otlp", "bindtrace.collector.redact"]
):
    from bindtrace.collector.otlp import columnar, rows
    from bindtrace.collector.otlp.admit import Admitted, Encoding, admit
    from bindtrace.collector.redact.walk import use_salt

sys.path.insert(0, str(Path(__file__).parents[1]))

from admitting import as_journaled, judge
from handshakes import logs, refused
from otlp_requests import one_span
from statistics_of_envoy import metrics

ENCODINGS: Final[tuple[Encoding, ...]] = get_args(Encoding)
ZIPKIN: Final = b"""[{"traceId": "0af7651916cd43dd8448eb211c80319c", "id": "b7ad6b7169203331", "kind": "SERVER",
    "shared": true, "name": "get", "timestamp": 1, "duration": 5,
    "localEndpoint": {"serviceName": "orders", "ipv4": "10.0.0.1"},
    "remoteEndpoint": {"port": 80}, "tags": {"error": "", "http.path": "/a"},
    "annotations": [{"timestamp": 2, "value": "ws"}]}]"""


def one(data: bytes) -> None:
    admitted = admit(data[1:], ENCODINGS[data[0] % len(ENCODINGS)] if data else "protobuf")
    judge(admitted)
    if isinstance(admitted, Admitted) and admitted.spans:
        for route in (rows, columnar):
            tables = route.to_tables([as_journaled(admitted)], 1)
            assert tables.refused == ()
            assert tables.spans.num_rows == admitted.spans


def seed_corpus(folder: Path) -> None:
    """Whole requests, so that the fuzzer does not have to find the format."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [one_span(), one_span(2, http__route="/a", password="correct-horse", port=8080)]
    with_all = one_span(3)
    span = with_all.resource_spans[0].scope_spans[0].spans[0]
    span.events.add(name="e").attributes.add(key="k").value.double_value = 1.5
    span.links.add(trace_id=b"\1" * 16, span_id=b"\2" * 8)
    span.attributes.add(key="l").value.kvlist_value.values.add(
        key="x"
    ).value.array_value.values.add().bytes_value = b"\0"
    span.status.message = "Bearer abcdefghijklmnop12345"
    refusals = logs(refused(), refused("peer_cert_expired"))
    counts = metrics(("listener.ssl.fail_verify_error", 3), ("http.rbac.denied", 1))
    seeds: list[tuple[Encoding, bytes]] = [("zipkin", ZIPKIN)]
    others: list[tuple[Message, Encoding, Encoding]] = [
        *((request, "protobuf", "json") for request in (*drawn, with_all)),
        (refusals, "logs", "logs-json"),
        (counts, "metrics", "metrics-json"),
    ]
    for request, binary, text in others:
        seeds.append((binary, request.SerializeToString()))
        seeds.append((text, json_format.MessageToJson(request, indent=None).encode()))
    for number, (encoding, body) in enumerate(seeds):
        (folder / f"seed-{number}").write_bytes(bytes([ENCODINGS.index(encoding)]) + body)


def main() -> None:
    seconds = sys.argv[1] if len(sys.argv) > 1 else "60"
    corpus = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("corpus")
    seed_corpus(corpus)
    use_salt(bytes(16))
    columnar.LOOP_SPANS = -1  # small requests go through the columns, too
    options = [
        f"-max_total_time={seconds}",
        "-timeout=5",
        "-rss_limit_mb=1024",
        "-max_len=8192",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], str(corpus), *options], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
