"""gRPC: the interceptors of both sides against each other, over real sockets, with real certificates."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from guarding import Spans, listening
from identities import NOW_S, ORDERS, Scene
from rotating import DNS_NAME, Scaled
from rotating import INVENTORY as CALLEE
from rotating import ORDERS as CALLER
from support import wait_for

from bindtrace.propagation import clock
from bindtrace.propagation.authority.rotation import Lives
from bindtrace.propagation.guard.request import FixedTrust
from bindtrace.propagation.identity import certificates
from bindtrace.propagation.identity.keys import private_pem
from bindtrace.propagation.serving.grpc_guard import GuardInterceptor, server_credentials
from bindtrace.propagation.workload.grpc_channel import BindingChannel
from bindtrace.propagation.workload.grpc_interceptor import BindingInterceptor

KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    return listening(monkeypatch)


class Echo(grpc.GenericRpcHandler):  # type: ignore[misc]
    """A service of all four kinds, that keeps the metadata it was given."""

    def __init__(self) -> None:
        self.metadata: list[dict[str, Any]] = []

    def service(self, details: Any) -> Any:
        kind = details.method.rpartition("/")[2]
        if kind not in KINDS:
            return None
        make = getattr(grpc, f"{kind}_rpc_method_handler")

        def answered(message: Any, context: Any) -> Any:
            self.metadata.append(dict(context.invocation_metadata()))
            sent = message if isinstance(message, bytes) else b"".join(message)
            return iter([sent, sent]) if kind.endswith("stream") else sent

        return make(answered)


@contextmanager
def serving(guard: GuardInterceptor, echo: Echo, credentials: Any = None) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(4), interceptors=[guard], handlers=[echo])
    address = "127.0.0.1:0"
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def guard(scene: Scene, mode: Any = "enforce") -> GuardInterceptor:
    return GuardInterceptor(
        mode=mode, receiver=scene.receiver, trust=FixedTrust(scene.trust), memory=scene.memory, explain=True,
        now_unix_nano=lambda: NOW_S * 10**9,
    )  # fmt: skip


def call(channel: grpc.Channel, kind: str, **also: Any) -> bytes:
    message: Any = iter([b"a", b"b"]) if kind.startswith("stream") else b"ab"
    answer = getattr(channel, kind)(f"/shop.Echo/{kind}")(message, timeout=5, **also)
    first, *_ = [answer] if isinstance(answer, bytes) else answer  # to its end
    return bytes(first)


def metadata(scene: Scene) -> list[tuple[str, str]]:
    token = scene.domain.token(scene.key)
    return [("workload-identity-token", token), ("workload-proof-token", scene.proof(token, method="POST"))]


@pytest.mark.parametrize("kind", KINDS)
def test_a_proven_call_passes_without_its_credentials_and_one_without_is_refused(
    kind: str, spans: Spans
) -> None:
    scene, echo = Scene(), Echo()
    with serving(guard(scene), echo) as address, grpc.insecure_channel(address) as channel:
        answer = call(channel, kind, metadata=[*metadata(scene), ("tenant", "7")])
        with pytest.raises(grpc.RpcError) as refused:
            call(channel, kind)

    assert answer == b"ab"
    assert len(echo.metadata) == 1
    assert "tenant" in echo.metadata[0]
    assert not any(key.startswith("workload") for key in echo.metadata[0])
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert refused.value.details() == "the call is not allowed: credential_missing"
    said = [dict(span.attributes or {}) for span in spans.all()]
    assert [one["bindtrace.authz.reason"] for one in said] == ["ok", "credential_missing"]
    assert said[0]["bindtrace.caller.id"] == str(ORDERS)
    assert said[0]["rpc.method"] == f"shop.Echo/{kind}"


def test_observing_lets_pass(spans: Spans) -> None:
    scene, echo = Scene(), Echo()
    with serving(guard(scene, "observe"), echo) as address, grpc.insecure_channel(address) as channel:
        assert call(channel, "unary_unary") == b"ab"

    assert spans.said()["bindtrace.authz.would"] == "deny"


def test_a_missing_bundle_is_unavailable(spans: Spans) -> None:
    scene, echo = Scene(), Echo()
    scene.bundle = {"token_keys": {}}
    with (
        serving(guard(scene), echo) as address,
        grpc.insecure_channel(address) as channel,
        pytest.raises(grpc.RpcError) as refused,
    ):
        call(channel, "unary_unary", metadata=metadata(scene))

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_the_same_proof_twice_is_a_replay(spans: Spans) -> None:
    scene, echo = Scene(), Echo()
    sent = metadata(scene)
    with serving(guard(scene), echo) as address, grpc.insecure_channel(address) as channel:
        call(channel, "unary_unary", metadata=sent)
        with pytest.raises(grpc.RpcError, match="pop_replayed"):
            call(channel, "unary_unary", metadata=sent)


def test_two_tokens_are_a_duplicate(spans: Spans) -> None:
    scene, echo = Scene(), Echo()
    sent = metadata(scene)
    with (
        serving(guard(scene), echo) as address,
        grpc.insecure_channel(address) as channel,
        pytest.raises(grpc.RpcError, match="credential_duplicate"),
    ):
        call(channel, "unary_unary", metadata=[*sent, sent[0]])


@pytest.mark.slow
def test_a_workload_calls_another_over_mtls_across_a_renewal(tmp_path: Path, spans: Spans) -> None:
    scaled, echo = Scaled(tmp_path, Lives()), Echo()
    with scaled.running():
        scaled.authority.register(CALLEE, clock.now_unix_nano() // 10**9, dns_names=["inventory.internal"])
        callee, caller = scaled.join(CALLEE), scaled.join(CALLER)
        guarding = GuardInterceptor(mode="enforce", receiver=callee.receiver(), trust=callee)
        with serving(guarding, echo, server_credentials(callee)) as address:
            for _ in range(2):
                generation = caller.generation
                credentials = grpc.ssl_channel_credentials(
                    b"".join(certificates.pem(authority) for authority in caller.bundle.authorities),
                    private_pem(generation.tls_key),
                    certificates.pem(generation.certificate),
                )
                name = (("grpc.ssl_target_name_override", "inventory.internal"),)
                with grpc.secure_channel(address, credentials, name) as plain:
                    channel = grpc.intercept_channel(plain, BindingInterceptor(caller, "inventory"))
                    assert call(channel, "unary_unary") == b"ab"
                assert (caller.renew(), callee.renew()) == (None, None)
        caller.close()
        callee.close()

    said = [dict(span.attributes or {}) for span in spans.all() if span.name == "HTTP"]
    assert [one["bindtrace.authz.assurance"] for one in said] == ["mtls+wpt", "mtls+wpt"]


@pytest.mark.slow
def test_a_channel_that_follows_generations_ends_each_with_its_last_call(
    tmp_path: Path, spans: Spans
) -> None:
    scaled, echo = Scaled(tmp_path, Lives()), Echo()
    with scaled.running():
        callee, caller = scaled.join(CALLEE), scaled.join(CALLER)
        guarding = GuardInterceptor(mode="enforce", receiver=callee.receiver(), trust=callee)
        name = (("grpc.ssl_target_name_override", DNS_NAME),)
        with (
            serving(guarding, echo, server_credentials(callee)) as address,
            BindingChannel(caller, address, "inventory", name) as channel,
        ):
            grpc.channel_ready_future(channel).result(timeout=10)
            opened = iter(channel.unary_stream("/shop.Echo/unary_stream")(b"ab", timeout=5))
            assert next(opened) == b"ab"
            assert caller.renew() is None
            answers = [call(channel, kind) for kind in KINDS]
            method = channel.unary_unary("/shop.Echo/unary_unary")
            answers += [method.future(b"ab", timeout=5).result(), method.with_call(b"ab", timeout=5)[0]]
            held = len(channel._pools.all())
            rest = list(opened)
            wait_for(lambda: len(channel._pools.all()) == 1, what="the older connection to be closed")
        caller.close()
        callee.close()

    assert (answers, held, rest) == ([b"ab"] * 6, 2, [b"ab"])
    said = [dict(span.attributes or {}) for span in spans.all() if span.name == "HTTP"]
    assert {one["bindtrace.authz.assurance"] for one in said} == {"mtls"}


@pytest.mark.slow
def test_a_channel_does_not_speak_to_a_server_of_another_name(tmp_path: Path) -> None:
    scaled = Scaled(tmp_path, Lives())
    with scaled.running():
        stranger, caller = scaled.join(CALLER), scaled.join(CALLER)
        guarding = GuardInterceptor(mode="enforce", receiver=stranger.receiver(), trust=stranger)
        name = (("grpc.ssl_target_name_override", DNS_NAME),)
        with (
            serving(guarding, Echo(), server_credentials(stranger)) as address,
            BindingChannel(caller, address, "inventory", name) as channel,
            pytest.raises(grpc.RpcError) as refused,
        ):
            call(channel, "unary_unary")
        stranger.close()
        caller.close()

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
