"""OTLP over HTTP: what is wrong, damaged or too large is refused with a status in the sender's own encoding."""

from __future__ import annotations

import gzip
import http.client
import json

import httpx
import pytest
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from receiving import JSON, PROTOBUF, Receivers, one_request

LIMIT = 64 * 1024 * 1024


@pytest.mark.parametrize(
    "body",
    [b"not gzip at all", gzip.compress(b"x" * 1000)[:-9], gzip.compress(b"") + b"rest"],
    ids=["other bytes", "cut short", "bytes behind the end"],
)
def test_bad_gzip_is_400_with_a_status(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/v1/traces", content=body, headers=PROTOBUF | {"content-encoding": "gzip"})

    assert answer.status_code == 400
    assert "gzip" in Status.FromString(answer.content).message


def test_undecodable_protobuf_is_400_with_a_status_in_protobuf(client: httpx.Client) -> None:
    answer = client.post("/v1/traces", content=b"\xff\xff\xff", headers=PROTOBUF)

    status = Status.FromString(answer.content)
    detail = BadRequest()
    assert (answer.status_code, answer.headers["content-type"], status.code) == (
        400,
        PROTOBUF["content-type"],
        3,
    )
    assert "not an OTLP traces request" in status.message
    assert status.details[0].Unpack(detail)
    assert detail.field_violations[0].field == "body"


def test_undecodable_json_is_400_with_a_status_in_json(client: httpx.Client) -> None:
    answer = client.post("/v1/traces", content=b'{"resourceSpans": 7}', headers=JSON)

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
    assert answer.json()["code"] == 3
    assert "resourceSpans" in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "code"),
    [
        ("GET", "/v1/traces", {}, 405),
        ("POST", "/", PROTOBUF, 404),
        ("POST", "/v1/traces", {"content-type": "text/plain"}, 415),
        ("POST", "/v1/traces", {}, 415),
        ("POST", "/v1/traces", PROTOBUF | {"content-encoding": "br"}, 415),
        ("POST", "/v1/traces", PROTOBUF | {"content-encoding": "gzip, gzip"}, 415),
    ],
)
def test_wrong_requests_have_their_code_and_a_status(
    client: httpx.Client, method: str, path: str, headers: dict[str, str], code: int
) -> None:
    answer = client.request(method, path, headers=headers)

    assert answer.status_code == code
    if answer.headers["content-type"] == "application/json":
        assert answer.json()["message"]
    else:
        assert Status.FromString(answer.content).message
    assert ("allow" in answer.headers) == (code == 405)


def test_a_length_beyond_the_limit_is_413_before_the_body_comes(receivers: Receivers) -> None:
    connection = http.client.HTTPConnection(receivers.http, timeout=10)
    connection.putrequest("POST", "/v1/traces")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(LIMIT + 1))
    connection.endheaders()

    answer = connection.getresponse()

    assert (answer.status, json.loads(answer.read())["code"]) == (413, 8)
    assert answer.getheader("retry-after") is None
    connection.close()


def test_a_small_body_that_inflates_beyond_the_limit_is_413(client: httpx.Client) -> None:
    bomb = gzip.compress(b"\0" * (LIMIT + 1), compresslevel=9)

    answer = client.post("/v1/traces", content=bomb, headers=PROTOBUF | {"content-encoding": "gzip"})

    assert len(bomb) < 100_000
    assert (answer.status_code, Status.FromString(answer.content).code) == (413, 8)


def test_the_limit_holds_over_all_gzip_members(client: httpx.Client) -> None:
    bomb = gzip.compress(b"\0" * (LIMIT // 2 + 1), compresslevel=9) * 2

    answer = client.post("/v1/traces", content=bomb, headers=PROTOBUF | {"content-encoding": "gzip"})

    assert answer.status_code == 413


def test_many_tiny_gzip_members_are_refused_soon(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/traces", content=gzip.compress(b"") * 50_000, headers=PROTOBUF | {"content-encoding": "gzip"}
    )

    assert answer.status_code == 400


def test_a_sender_that_hangs_up_in_its_body_harms_nobody(client: httpx.Client, receivers: Receivers) -> None:
    for _ in range(4):
        connection = http.client.HTTPConnection(receivers.http, timeout=10)
        connection.putrequest("POST", "/v1/traces")
        connection.putheader("content-type", "application/x-protobuf")
        connection.putheader("content-length", "1000")
        connection.endheaders(b"only this")
        connection.close()

    assert client.post("/v1/traces", content=one_request()[1], headers=PROTOBUF).status_code == 200
    assert all(process.poll() is None for process in receivers.processes)
