"""Who may send: TLS, client certificates, bearer tokens, signed drains; each allow beside its deny."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from certificates import certificate
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from receiving import PROTOBUF, Receivers, export, running_receivers

from bindtrace.collector.receive import grpc_server, http_server
from bindtrace.collector.receive.budget import Budget
from bindtrace.collector.receive.doors import DoorFiles, open_doors
from bindtrace.collector.receive.group import GroupCommit
from bindtrace.collector.receive.intake import Intake
from bindtrace.collector.receive.room import Room
from bindtrace.propagation.vocabulary import EXPORTER

TOKEN = "0123456789abcdef0123456789abcdef"
SECRET = "a-drain-secret"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("doors")
    authority = certificate("authority", None, folder)
    certificate("collector", authority, folder)
    certificate("orders", authority, folder)
    certificate("stranger", certificate("other-authority", None, folder), folder)
    (folder / "tokens").write_text(f"# senders\norders:{TOKEN}\nledger:{TOKEN[::-1]}\n")
    (folder / "secret").write_text(f"{SECRET}\n")
    return folder


@pytest.fixture(scope="module")
def locked(folder: Path) -> Iterator[Receivers]:
    """Receivers that want TLS, a client certificate and a token."""
    doors = DoorFiles(
        folder / "collector.pem", folder / "collector.key", folder / "authority.pem", folder / "tokens"
    )
    with running_receivers(folder / "journal", 1, doors.arguments()) as running:
        yield running


def client_context(folder: Path, name: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / "authority.pem")
    if name:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


def post(locked: Receivers, folder: Path, name: str | None, headers: dict[str, str]) -> httpx.Response:
    with httpx.Client(verify=client_context(folder, name), timeout=10) as client:
        body = export(os.urandom(8), service="behind-doors").SerializeToString()
        return client.post(f"https://{locked.http}/v1/traces", content=body, headers=PROTOBUF | headers)


def test_a_known_sender_is_taken_over_https(locked: Receivers, folder: Path) -> None:
    answer = post(locked, folder, "orders", {"authorization": f"Bearer {TOKEN}"})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header", [{}, {"authorization": f"Bearer {TOKEN[:-1]}0"}, {"authorization": f"Basic {TOKEN}"}], ids=str
)
def test_without_the_right_token_it_is_401_with_a_status(
    locked: Receivers, folder: Path, header: dict[str, str]
) -> None:
    answer = post(locked, folder, "orders", header)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert Status.FromString(answer.content).code == grpc.StatusCode.UNAUTHENTICATED.value[0]
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize("name", [None, "stranger"])
def test_without_a_certificate_of_the_authority_there_is_no_connection(
    locked: Receivers, folder: Path, name: str | None
) -> None:
    with pytest.raises(httpx.TransportError):
        post(locked, folder, name, {"authorization": f"Bearer {TOKEN}"})


def test_plaintext_is_not_answered_behind_tls(locked: Receivers) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.post(f"http://{locked.http}/v1/traces", content=b"", headers=PROTOBUF, timeout=5)


def call(locked: Receivers, folder: Path, name: str | None, token: str | None) -> bytes:
    def read(file: str) -> bytes:
        return (folder / file).read_bytes()

    pair = (read(f"{name}.key"), read(f"{name}.pem")) if name else (None, None)
    credentials = grpc.ssl_channel_credentials(read("authority.pem"), *pair)
    with grpc.secure_channel(locked.grpc, credentials) as channel:
        metadata = [("authorization", f"Bearer {token}")] if token else []
        answer: bytes = channel.unary_unary(grpc_server.EXPORT)(
            export(os.urandom(8)).SerializeToString(), metadata=metadata, timeout=5
        )
        return answer


def test_a_known_sender_is_taken_over_grpc_with_tls(locked: Receivers, folder: Path) -> None:
    assert call(locked, folder, "orders", TOKEN) == b""


@pytest.mark.parametrize("token", [None, TOKEN[:-1] + "0"])
def test_without_the_right_token_grpc_is_unauthenticated(
    locked: Receivers, folder: Path, token: str | None
) -> None:
    with pytest.raises(grpc.RpcError) as error:
        call(locked, folder, "orders", token)

    assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "google.rpc.retryinfo-bin" not in dict(error.value.trailing_metadata())


@pytest.mark.parametrize("name", [None, "stranger"])
def test_without_a_certificate_grpc_has_no_connection(
    locked: Receivers, folder: Path, name: str | None
) -> None:
    with pytest.raises(grpc.RpcError) as error:
        call(locked, folder, name, TOKEN)

    assert error.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def test_accounting_names_the_sender_by_its_token_and_nothing_holds_the_token(
    locked: Receivers, folder: Path
) -> None:
    post(locked, folder, "orders", {"authorization": f"Bearer {TOKEN}"})
    seen: list[str] = []
    for _ in range(100):
        seen = [json.loads(item.body)["sender"]["identity"] for item in locked.accounted()]
        if "orders" in seen:
            break
        asyncio.run(asyncio.sleep(0.05))

    assert "orders" in seen
    assert not any(
        TOKEN.encode() in path.read_bytes() for path in locked.journal.rglob("*") if path.is_file()
    )


# --- who speaks for whom ------------------------------------------------------------------------------


BILLING = "spiffe://shop.example/project/p1/env/production/service/billing/deployment/7"


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize(("service", "named"), [("orders", BILLING), ("billing", None)])
def test_a_workload_that_speaks_for_another_service_is_named_on_its_resource_alone(
    tmp_path: Path, protocol: str, service: str, named: str | None
) -> None:
    authority = certificate("authority", None, tmp_path)
    certificate("collector", authority, tmp_path)
    certificate("billing", authority, tmp_path, dns=("billing.example",), uri=BILLING)
    doors = DoorFiles(tmp_path / "collector.pem", tmp_path / "collector.key", tmp_path / "authority.pem")
    body = export(os.urandom(8), service=service).SerializeToString()

    with running_receivers(tmp_path / "journal", 1, doors.arguments()) as running:
        if protocol == "http":
            with httpx.Client(verify=client_context(tmp_path, "billing"), timeout=10) as client:
                url = f"https://{running.http}/v1/traces"
                assert client.post(url, content=body, headers=PROTOBUF).status_code == 200
        else:
            pair = ((tmp_path / "billing.key").read_bytes(), (tmp_path / "billing.pem").read_bytes())
            credentials = grpc.ssl_channel_credentials((tmp_path / "authority.pem").read_bytes(), *pair)
            with grpc.secure_channel(running.grpc, credentials) as channel:
                channel.unary_unary(grpc_server.EXPORT)(body, timeout=5)
        (kept,) = running.journaled()

    resource = ExportTraceServiceRequest.FromString(kept.body).resource_spans[0].resource
    said = {attribute.key: attribute.value.string_value for attribute in resource.attributes}
    assert said.get(EXPORTER) == named
    assert (kept.body == body) == (named is None)


# --- drains ------------------------------------------------------------------------------------------


def signature(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()


def drained(
    folder: Path, tmp_path: Path, body: bytes, headers: dict[str, str], *, tokens: bool = False
) -> httpx.Response:
    class Nothing:
        def append(self, requests):  # type: ignore[no-untyped-def]
            raise AssertionError("an empty request is not journaled")

    async def run() -> httpx.Response:
        group = GroupCommit(Nothing())
        files = DoorFiles(
            token_file=folder / "tokens" if tokens else None, drain_secret_file=folder / "secret"
        )
        intake = Intake(group, Room(tmp_path, reserve_bytes=0), Budget(), open_doors(files))
        transport = httpx.ASGITransport(http_server.build(intake))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://collector") as client:
            answer = await client.post(
                "/v1/traces", content=body, headers={"content-type": "application/json"} | headers
            )
        await group.close()
        return answer

    return asyncio.run(run())


def test_a_signed_drain_is_taken(folder: Path, tmp_path: Path) -> None:
    answer = drained(folder, tmp_path, b"{}", {"x-vercel-signature": signature(b"{}")})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{}", {}),
        (b"{}", {"x-vercel-signature": signature(b"{}", "another")}),
        (b"{ }", {"x-vercel-signature": signature(b"{}")}),
        (b"not json", {"x-vercel-signature": "00"}),
    ],
    ids=["none", "other secret", "other body", "not decoded before"],
)
def test_a_wrong_signature_is_403_with_a_status(
    folder: Path, tmp_path: Path, body: bytes, headers: dict[str, str]
) -> None:
    answer = drained(folder, tmp_path, body, headers)

    assert (answer.status_code, answer.json()["code"]) == (403, 7)


def test_a_token_does_as_well_as_a_signature(folder: Path, tmp_path: Path) -> None:
    right = drained(folder, tmp_path, b"{}", {"authorization": f"Bearer {TOKEN}"}, tokens=True)
    wrong = drained(folder, tmp_path, b"{}", {"authorization": "Bearer wrong"}, tokens=True)

    assert (right.status_code, wrong.status_code) == (200, 401)
