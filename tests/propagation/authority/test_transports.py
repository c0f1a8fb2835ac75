"""Transports of callers: who gets a token, on which connection, and who gets none."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import httpx
import pytest
import requests
from guarding import App, serving
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from rotating import INVENTORY, ORDERS, Scaled, called

from bindtrace.propagation.authority.rotation import Lives
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.workload.aiohttp_connector import BindingConnector
from bindtrace.propagation.workload.httpx_transport import BindingTransport
from bindtrace.propagation.workload.identity import Identity
from bindtrace.propagation.workload.outgoing import Target
from bindtrace.propagation.workload.requests_adapter import BindingAdapter

pytestmark = pytest.mark.slow
Fetch = Callable[..., int]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Identity, Identity, str]]:
    """Caller, callee and the address of a guarded inventory."""
    scaled = Scaled(tmp_path_factory.mktemp("ca"), Lives())
    with scaled.running():
        callee, caller = scaled.join(INVENTORY), scaled.join(ORDERS)
        with called(callee) as port, OPEN:
            yield caller, callee, f"https://127.0.0.1:{port}"
        caller.close()
        callee.close()


def by_httpx(identity: Identity, url: str, target: Any) -> Fetch:
    client = httpx.Client(transport=BindingTransport(identity, {url: target}), follow_redirects=True)
    return lambda path, **also: client.get(path, **also).status_code


def by_requests(identity: Identity, url: str, target: Any) -> Fetch:
    session = requests.Session()
    session.mount(url, BindingAdapter(identity, url, target))
    return lambda path, **also: session.get(path, timeout=5, **also).status_code


OPEN = contextlib.ExitStack()


def by_aiohttp(identity: Identity, url: str, target: Any) -> Fetch:
    runner = OPEN.enter_context(asyncio.Runner())
    session = runner.run(_session(identity, {url: target}))
    OPEN.callback(lambda: runner.run(session.close()))

    async def fetch(path: str, **also: Any) -> int:
        async with session.get(path, **also) as answer:
            await answer.read()
            return answer.status

    return lambda path, **also: runner.run(fetch(path, **also))


async def _session(identity: Identity, targets: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=BindingConnector(identity, targets))


EACH = pytest.mark.parametrize("by", [by_httpx, by_requests, by_aiohttp])


@EACH
@pytest.mark.parametrize("proof", ["mtls", "wpt"])
def test_a_declared_target_is_called_with_a_proof_across_a_renewal(
    shop: tuple[Identity, Identity, str], by: Any, proof: Any
) -> None:
    caller, _, url = shop
    fetch = by(caller, url, Target(INVENTORY.of_service, proof))

    statuses = [fetch(f"{url}/stock/7"), caller.renew(), fetch(f"{url}/stock/7"), fetch(f"{url}/stock/7")]

    assert statuses == [200, None, 200, 200]


@EACH
def test_tokens_of_the_callers_own_making_do_not_leave(shop: tuple[Identity, Identity, str], by: Any) -> None:
    caller, _, url = shop
    fetch = by(caller, url, "inventory")

    forged = {"Workload-Identity-Token": "forged", "workload_proof_token": "forged"}

    assert fetch(f"{url}/stock/7", headers=forged) == 200


@EACH
def test_who_answers_for_another_service_is_not_spoken_to(
    shop: tuple[Identity, Identity, str], by: Any
) -> None:
    caller, _, url = shop
    fetch = by(caller, url, Target(ORDERS.of_service))

    with pytest.raises(Exception, match=r"not who was called|credential_unavailable"):
        fetch(f"{url}/stock/7")


@EACH
def test_a_redirect_to_elsewhere_takes_no_credential_along(
    shop: tuple[Identity, Identity, str], by: Any
) -> None:
    caller, callee, _ = shop
    elsewhere = App()

    async def redirecting(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"location", to.encode()), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 307, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    with serving(elsewhere) as plain, serving(redirecting, callee.server_context()) as port:
        to, url = f"http://127.0.0.1:{plain}/", f"https://127.0.0.1:{port}"
        assert by(caller, url, "inventory")(f"{url}/stock/7") == 200

    names = {name for name, _ in elsewhere.scopes[0]["headers"]}
    assert names
    assert not any(name.startswith(b"workload") for name in names)


@EACH
def test_a_service_that_it_may_not_call_is_named_with_those_it_may(
    shop: tuple[Identity, Identity, str], by: Any
) -> None:
    caller, _, url = shop

    with pytest.raises(Refusal, match=r"may not call `billing` \(it may call inventory\)"):
        by(caller, url, "billing")


def test_a_requests_adapter_is_for_its_own_origin(shop: tuple[Identity, Identity, str]) -> None:
    caller, _, url = shop
    session = requests.Session()
    session.mount("https://", BindingAdapter(caller, url, "inventory"))

    with pytest.raises(Refusal, match="not the declared target"):
        session.get("https://127.0.0.2:1/", timeout=5)


@pytest.mark.parametrize("also", [{"proxy": "http://127.0.0.1:1"}, {"ssl": False}], ids=["proxy", "ssl"])
def test_aiohttp_makes_no_declared_call_on_a_connection_that_is_not_the_bindings(
    shop: tuple[Identity, Identity, str], also: Any
) -> None:
    caller, _, url = shop

    with pytest.raises(Refusal, match="a binding has connections of its own"):
        by_aiohttp(caller, url, "inventory")(f"{url}/stock/7", **also)


def test_each_call_by_aiohttp_has_a_receipt_of_its_own_on_its_span(
    shop: tuple[Identity, Identity, str],
) -> None:
    caller, _, url = shop
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))

    async def called_twice() -> None:
        async with await _session(caller, {url: Target(INVENTORY.of_service, "wpt")}) as session:
            for _ in range(2):
                with provider.get_tracer("test").start_as_current_span("GET"):
                    async with session.get(f"{url}/stock/7") as answer:
                        assert answer.status == 200

    asyncio.run(called_twice())

    first, second = (span.attributes or {} for span in spans.get_finished_spans())
    assert first["bindtrace.target.id"] == str(INVENTORY.of_service)
    assert first["bindtrace.pop.sha256"] != second["bindtrace.pop.sha256"]


def test_aiohttp_ends_a_generations_connections_with_the_last_call_that_uses_them(
    shop: tuple[Identity, Identity, str],
) -> None:
    caller, callee, _ = shop
    go_on = threading.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await asyncio.to_thread(go_on.wait, 20)
        await send({"type": "http.response.body", "body": b" last"})

    async def called_across_a_renewal(url: str) -> tuple[int, bytes, int]:
        connector = BindingConnector(caller, {url: "inventory"})
        async with aiohttp.ClientSession(connector=connector) as session, session.get(url) as begun:
            await asyncio.to_thread(caller.renew)
            async with session.get(url):
                during = len(connector._pools.all())
                go_on.set()
                body = await begun.read()
            return during, body, len(connector._pools.all())

    with serving(slow, callee.server_context()) as port:
        assert asyncio.run(called_across_a_renewal(f"https://127.0.0.1:{port}")) == (2, b"first last", 1)
