"""Transports of callers: who gets a token, on which connection, and who gets none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import requests
from guarding import App, serving
from rotating import INVENTORY, ORDERS, Scaled, called

from bindtrace.propagation.authority.rotation import Lives
from bindtrace.propagation.errors import Refusal
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
        with called(callee) as port:
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


BOTH = pytest.mark.parametrize("by", [by_httpx, by_requests])


@BOTH
@pytest.mark.parametrize("proof", ["mtls", "wpt"])
def test_a_declared_target_is_called_with_a_proof_across_a_renewal(
    shop: tuple[Identity, Identity, str], by: Any, proof: Any
) -> None:
    caller, _, url = shop
    fetch = by(caller, url, Target(INVENTORY.of_service, proof))

    statuses = [fetch(f"{url}/stock/7"), caller.renew(), fetch(f"{url}/stock/7"), fetch(f"{url}/stock/7")]

    assert statuses == [200, None, 200, 200]


@BOTH
def test_tokens_of_the_callers_own_making_do_not_leave(shop: tuple[Identity, Identity, str], by: Any) -> None:
    caller, _, url = shop
    fetch = by(caller, url, "inventory")

    forged = {"Workload-Identity-Token": "forged", "workload_proof_token": "forged"}

    assert fetch(f"{url}/stock/7", headers=forged) == 200


@BOTH
def test_who_answers_for_another_service_is_not_spoken_to(
    shop: tuple[Identity, Identity, str], by: Any
) -> None:
    caller, _, url = shop
    fetch = by(caller, url, Target(ORDERS.of_service))

    with pytest.raises(Exception, match=r"not who was called|credential_unavailable"):
        fetch(f"{url}/stock/7")


@BOTH
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


@BOTH
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
