"""The OTLP checklist, transport (P): one test or more for each item, named by it."""

from __future__ import annotations

import gzip
import os
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
import zstandard
from otlp_documents import document
from receiving import JSON, PROTOBUF, Receivers, export, running_receivers

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def body() -> bytes:
    return export(os.urandom(8)).SerializeToString()


def test_p1_grpc_export_and_http_v1_traces(client: httpx.Client, channel: grpc.Channel) -> None:
    assert channel.unary_unary(EXPORT)(body()) == b""
    assert client.post("/v1/traces", content=body(), headers=PROTOBUF).status_code == 200


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.compress), ("identity", bytes),
     ("zstd", lambda text: zstandard.ZstdCompressor(write_content_size=False).compress(text)),
     ("zstd", lambda text: zstandard.compress(text[:9]) + zstandard.compress(text[9:]))],
)  # fmt: skip
def test_p2_http_takes_gzip_deflate_zstd_and_none(client: httpx.Client, encoding: str, pack: Any) -> None:
    answer = client.post(
        "/v1/traces", content=pack(body()), headers=PROTOBUF | {"content-encoding": encoding}
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("compression", list(grpc.Compression))
def test_p2_grpc_takes_gzip_deflate_and_none(channel: grpc.Channel, compression: grpc.Compression) -> None:
    assert channel.unary_unary(EXPORT)(body(), compression=compression) == b""


@pytest.mark.parametrize("encoding", ["br", "snappy", "gzip, gzip", "x"])
def test_p2_other_compressions_are_415(client: httpx.Client, encoding: str) -> None:
    answer = client.post("/v1/traces", content=b"x", headers=JSON | {"content-encoding": encoding})

    assert answer.status_code == 415
    assert "send gzip, deflate, zstd or none" in answer.json()["message"]


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON ;charset=UTF-8"]
)
def test_p3_json_by_its_content_type_with_any_parameters(client: httpx.Client, content_type: str) -> None:
    answer = client.post("/v1/traces", content=document(), headers={"content-type": content_type})

    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (
        200,
        b"{}",
        "application/json",
    )


def test_p3_protobuf_is_answered_in_protobuf(client: httpx.Client) -> None:
    answer = client.post("/v1/traces", content=body(), headers={"content-type": "application/x-protobuf;v=1"})

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/x-protobuf"


def test_p5_one_connection_carries_many_requests(receivers: Receivers) -> None:
    with httpx.Client(base_url=receivers.url, limits=httpx.Limits(max_connections=1)) as client:
        codes = [client.post("/v1/traces", content=body(), headers=PROTOBUF).status_code for _ in range(20)]

    assert codes == [200] * 20


def test_p5_concurrent_calls_of_one_channel_are_all_answered(channel: grpc.Channel) -> None:
    calls = [channel.unary_unary(EXPORT).future(body()) for _ in range(50)]

    assert [call.result(timeout=10) for call in calls] == [b""] * 50


def test_p5_a_graceful_stop_answers_what_is_in_flight(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_receivers(tmp_path_factory.mktemp("stop") / "journal", 1) as stopping:
        begun = threading.Event()
        answers: list[int] = []

        def slowly() -> Iterator[bytes]:
            text = body()
            yield text[:5]
            begun.set()
            stopping.processes[0].terminate()
            yield text[5:]

        thread = threading.Thread(
            target=lambda: answers.append(
                httpx.post(
                    f"{stopping.url}/v1/traces", content=slowly(), headers=PROTOBUF, timeout=20
                ).status_code
            )
        )
        thread.start()
        thread.join(20)
        ended = stopping.processes[0].wait(20)

    assert (answers, ended) == ([200], 0)


def test_p6_accept_encoding_may_be_ignored(client: httpx.Client) -> None:
    answer = client.post("/v1/traces", content=document(), headers=JSON | {"accept-encoding": "gzip"})

    assert answer.content == b"{}"
    assert "content-encoding" not in answer.headers


def test_a_body_without_content_length_is_taken_and_counted(
    client: httpx.Client, receivers: Receivers
) -> None:
    answer = client.post("/v1/traces", content=iter([body()]), headers=PROTOBUF)

    assert answer.status_code == 200
