"""The README's guarded service, run as it stands there: who may call it, and what the others get."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support import free_port, wait_for

from bindtrace.propagation import BindingTransport, Identity, Refusal

ROOT = Path(__file__).parents[3]
SECTION = (ROOT / "README.md").read_text().partition("## Guard a service")[2].partition("\n## ")[0]
PYTHON, SHELL = re.findall(r"```(?:python|sh)\n(.*?)```", SECTION, re.DOTALL)
APP = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The README's commands and service, in a folder of its own; and the service's address."""
    folder, port = tmp_path_factory.mktemp("shop"), free_port()
    (folder / "bindtrace.toml").write_text(
        'scope = "s"\n[[grants]]\ncaller = "orders"\ncallee = "inventory"\n'
    )
    bindtrace = str(Path(sys.executable).parent / "bindtrace")
    *setup, serve = [line.partition("#")[0].split()[1:] for line in SHELL.splitlines()]
    for words in [*setup, ["authority", "issue", "ca", "--service", "orders", "--out", "orders.join"],
                  ["authority", "issue", "ca", "--service", "billing", "--out", "billing.join"]]:  # fmt: skip
        subprocess.run([bindtrace, *words], cwd=folder, check=True, capture_output=True)
    program = (APP + PYTHON).replace("127.0.0.1:8443", f"127.0.0.1:{port}")
    running = [subprocess.Popen([bindtrace, *serve], cwd=folder, stderr=subprocess.DEVNULL)]
    try:
        wait_for(lambda: (folder / "ca" / "authority.sock").exists(), what="the authority")
        running.append(subprocess.Popen([sys.executable, "-c", program], cwd=folder))
        address = f"https://127.0.0.1:{port}"
        wait_for(lambda: _refuses(address), seconds=20, what="the guarded service")
        yield folder, address
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(15)


def _refuses(address: str) -> bool:
    """Whether somebody is there, who shakes no hand without a certificate."""
    try:
        httpx.get(address, verify=False, timeout=2)
    except httpx.ConnectError:
        return False
    except (httpx.ReadError, httpx.RemoteProtocolError):
        return True
    return False


def test_whom_the_manifest_grants_it_is_served(shop: tuple[Path, str]) -> None:
    folder, address = shop
    identity = Identity.join(folder / "orders.join")

    with httpx.Client(transport=BindingTransport(identity, {address: "inventory"})) as client:
        answer = client.get(f"{address}/stock/7")
    identity.close()

    assert answer.status_code == 200


def test_who_has_no_binding_gets_what_the_readme_says(shop: tuple[Path, str]) -> None:
    folder, address = shop
    identity = Identity.join(folder / "billing.join")
    context = identity.generation.client_context(
        identity.bundle, identity.workload.of_service._replace(service="inventory")
    )

    with pytest.raises(Refusal, match="credential_unavailable"):
        BindingTransport(identity, {address: "inventory"})
    answer = httpx.get(f"{address}/stock/7", verify=context)
    identity.close()

    shown = re.findall(r"\n403 (\{.*),…", SECTION)[0]
    assert answer.status_code == 403
    assert answer.text.startswith(shown)


def test_who_dials_a_service_and_reaches_another_sends_nothing(shop: tuple[Path, str]) -> None:
    folder, address = shop
    orders = subprocess.run(
        [str(Path(sys.executable).parent / "bindtrace"), "authority", "issue", "ca", "--service", "orders",
         "--out", "again.join"], cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    identity = Identity.join(folder / "again.join")
    context = identity.generation.client_context(identity.bundle, identity.workload.of_service)

    with pytest.raises(httpx.ConnectError, match="not who was called"):
        httpx.get(f"{address}/stock/7", verify=context)
    identity.close()

    assert orders.returncode == 0
