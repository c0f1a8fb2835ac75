"""T10: malformed OTLP over gRPC, HTTP protobuf and HTTP JSON: only known codes, every span accounted for, no growth."""

from __future__ import annotations

import itertools
import json
import threading

import grpc
import httpx
import psutil
from admitting import judge
from campaigning import SEED, quantity
from google.rpc.status_pb2 import Status
from malformed import bodies
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from receiving import running_receivers

from bindtrace.collector.otlp.admit import Admitted, admit

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
MIB = 1 << 20


def test_malformed_requests_are_answered_and_accounted(tmp_path) -> None:  # type: ignore[no-untyped-def]
    count = quantity(small=3000, full=60_000)
    sent = accepted = 0
    with running_receivers(tmp_path / "journal", 1) as receivers:
        process = psutil.Process(receivers.processes[0].pid)
        with (
            httpx.Client(base_url=receivers.url, timeout=30) as client,
            grpc.insecure_channel(receivers.grpc) as channel,
        ):
            call = channel.unary_unary(EXPORT)
            base = 0
            for number, (encoding, body) in enumerate(itertools.islice(bodies(SEED), count)):
                expected = admit(body, encoding)
                judge(expected)
                content_type = {
                    "content-type": f"application/{'json' if encoding == 'json' else 'x-protobuf'}"
                }
                answer = client.post("/v1/traces", content=body, headers=content_type)
                if isinstance(expected, Admitted):
                    assert answer.status_code == 200, body.hex()
                    if encoding == "protobuf":
                        partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
                        assert partial.rejected_spans == expected.rejected
                    sent += expected.spans
                else:
                    assert answer.status_code == 400, body.hex()
                    message = answer.json() if encoding == "json" else Status.FromString(answer.content)
                    assert message["code"] == 3 if encoding == "json" else message.code == 3  # type: ignore[index]
                if encoding == "protobuf" and number % 3 == 0:
                    try:
                        call(body, timeout=10)
                        assert isinstance(expected, Admitted)
                        sent += expected.spans
                    except grpc.RpcError as error:
                        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, body.hex()  # noqa: PT017
                if number == count // 10:
                    base = process.memory_info().rss
        grown = process.memory_info().rss - base
        receivers.processes[0].terminate()
        assert receivers.processes[0].wait(20) == 0
        accepted = sum(
            json.loads(item.body)["counts"].get("accepted", {}).get("", 0) for item in receivers.accounted()
        )
        journaled = sum(item.spans for item in receivers.journaled())

    assert (accepted, journaled) == (sent, sent)
    assert grown < 50 * MIB
    assert threading.active_count() < 50
