"""T27: no credential that a sender puts into telemetry is kept, logged or told by a running collector.

Every kind at every place by gRPC, protobuf, JSON and gzip; what is no credential stays as it is.
"""

from __future__ import annotations

import gzip
import http.client
import random
from collections.abc import Iterator
from pathlib import Path

import grpc
from campaigning import SEED, quantity
from google.protobuf import json_format
from leaking import forms, leaks, planted
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_requests import attributes, one_span
from receiving import JSON, PROTOBUF
from serving import Collector, collecting

from bindtrace.collector.otlp.admit import Admitted, admit
from bindtrace.queries.catalog import REPORTS

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
BENIGN = (
    "GET /api/v1/tokens/count", "max_tokens=4096", "token.type: Bearer", "usage.input_tokens 12", "password reset sent",
    "passwordless login", "secret santa", "k8s.secret.name=db-credentials", "sha256:{hex64}", "{hex32}", "{hex16}",
    "{uuid}", "commit {hex40}", "https://shop.example/cart?id={digits}", "postgresql://db.internal:5432/shop",
    "https://example.com/@user/post", "basic auth is disabled", "digest {hex64}", "cookie policy accepted",
    "author=ann", "primary_key={digits}", "foreign key violation", "key-value store",
    "AKIA is a prefix", "sk-learn 1.5",
    "eyJ is how a JSON begins", "session timeout 30s", "page_token: next", "-----BEGIN CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----", "user:group@host", "mailto:ann@shop.example", "signature mismatch",
    "authorization failed",
    "{base64}", "glide-{hex16}", "SG.1 of 3", "Bearer token missing", "arn:aws:iam::{digits}:role/app", "jwt expired",
)  # fmt: skip


def requests(seed: int) -> Iterator[ExportTraceServiceRequest]:
    for number, leak in enumerate(leaks(seed)):
        for place, (_, request) in enumerate(planted(leak.text, b"\x09" * 8)):
            span = request.resource_spans[0].scope_spans[0].spans[0]
            span.trace_id = (seed * 10_000 + number * 100 + place + 1).to_bytes(16, "big")
            yield request


def send(collector: Collector, seed: int) -> int:
    """Sends every request in each form; how many there were."""
    client = http.client.HTTPConnection(collector.endpoints["http"], timeout=30)
    count = 0
    with grpc.insecure_channel(collector.endpoints["grpc"]) as channel:
        call = channel.unary_unary(EXPORT)
        for request in requests(seed):
            body = request.SerializeToString()
            text = json_format.MessageToJson(request, indent=None).replace("word", "w\\u006frd").encode()
            for content, headers in (
                (body, PROTOBUF),
                (text, JSON),
                (gzip.compress(body), PROTOBUF | {"content-encoding": "gzip"}),
            ):
                client.request("POST", "/v1/traces", content, headers)
                answer = client.getresponse()
                answer.read()
                assert answer.status == 200
            call(body, timeout=30)
            count += 1
    client.close()
    return count


def told(collector: Collector) -> bytes:
    """Every report, and the metrics."""
    client = http.client.HTTPConnection(collector.endpoints["api"], timeout=60)
    said = []
    for path in (*(f"/api/reports/{name}" for name in REPORTS), "/metrics", "/api/status"):
        client.request("GET", path)
        said.append(client.getresponse().read())
    client.close()
    return b"".join(said)


def kept(folder: Path) -> bytes:
    """Everything on disk: database, its log, journal, spill, logs of the processes."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_no_credential_is_kept_logged_or_told(tmp_path: Path) -> None:
    for seed in range(SEED, SEED + quantity(full=5, small=1)):
        folder = tmp_path / str(seed)
        folder.mkdir()
        with collecting(folder / "t.duckdb") as collector:
            count = send(collector, seed)
            while_running = kept(folder) + told(collector)
            assert collector.stop() == 0
        after = kept(folder)

        assert count >= 45 * 11
        leaked = {
            leak.kind
            for leak in leaks(seed)
            for form in forms(leak.secret)
            if form in while_running or form in after
        }
        assert leaked == set(), f"seed {seed}"


def test_what_is_no_credential_stays() -> None:
    dice = random.Random(SEED)
    texts = []
    for _ in range(quantity(full=200, small=20)):
        words = {f"hex{size}": dice.randbytes(size // 2).hex() for size in (16, 32, 40, 64)}
        hexes = words["hex32"]
        words["uuid"] = f"{hexes[:8]}-{hexes[8:12]}-{hexes[12:16]}-{hexes[16:20]}-{hexes[20:]}"
        words["digits"] = str(dice.randrange(10**12))
        words["base64"] = "".join(dice.choice("ABCDEFGHabcdefgh01234567+/") for _ in range(40))
        texts += [text.format(**words) for text in BENIGN]
    wrong = []
    for text in texts:
        message = one_span(1)
        message.resource_spans[0].scope_spans[0].spans[0].attributes.extend(attributes(note=text))
        answer = admit(message.SerializeToString(), "protobuf")
        assert isinstance(answer, Admitted)
        if answer.redacted:
            wrong.append(text)

    assert len(wrong) <= 0.02 * len(texts), sorted(set(wrong))[:20]
