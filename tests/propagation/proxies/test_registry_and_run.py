"""Callees by the registry, and a command that is run with its bindings: environment, signals, exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from identities import INVENTORY, ORDERS
from support import wait_for

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.manifest import Grant, Manifest
from bindtrace.propagation.proxies import plan, registry, running
from bindtrace.propagation.proxies.plan import Address


def row(workload: Any = INVENTORY, state: str = "active", *addresses: str) -> dict[str, Any]:
    return {"id": str(workload), "state": state, "addresses": list(addresses)}


def test_the_registry_gives_active_addresses_and_those_in_grace_only_where_nothing_else_is_left() -> None:
    newer = INVENTORY._replace(deployment="d8")
    both = [row(INVENTORY, "grace", "10.0.0.1:1"), row(newer, "active", "10.0.0.2:1", "10.0.0.3:1")]

    assert registry.read(json.dumps(both).encode()) == {
        INVENTORY.of_service: (Address("10.0.0.2", 1), Address("10.0.0.3", 1))
    }
    assert registry.read(json.dumps(both[:1]).encode()) == {INVENTORY.of_service: (Address("10.0.0.1", 1),)}


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"[" * 5000, b'[{"id": "spiffe://a"}]', b"\xff"])
def test_a_malformed_registry_is_an_empty_one(content: bytes) -> None:
    assert registry.read(content) == {}


def test_an_ended_deployment_and_an_odd_address_are_left_out() -> None:
    rows = [
        row(ORDERS, "ended", "10.0.0.1:1"),
        row(INVENTORY, "active", "nowhere", "10.0.0.2:70000", "10.0.0.2:7"),
    ]

    assert registry.read(json.dumps(rows).encode()) == {INVENTORY.of_service: (Address("10.0.0.2", 7),)}


def grant(binding: str | None = None, **changes: Any) -> Manifest:
    place = {"binding": binding, "file": "bindtrace.toml", "line": 2}
    named = {"platform": "bindtrace", "scope": "", "environment": None, "caller": ORDERS.service}
    values: dict[str, Any] = {**named, "callee": INVENTORY.service, **place, **changes}
    return Manifest("bindtrace.toml", "bindtrace", "", revision="1", grants=(Grant(**values),))


@pytest.mark.parametrize(("binding", "variable"), [("STOCK_URL", "STOCK_URL"), (None, "S_INVENTORY_URL")])
def test_a_callee_has_the_platforms_variable_or_one_by_its_name(binding: str | None, variable: str) -> None:
    assert plan.granted_callees([grant(binding)], ORDERS.of_service) == {INVENTORY.service: variable}


@pytest.mark.parametrize("changes", [{"caller": "other"}, {"action": "deny"}, {"environment": "preview"}])
def test_what_is_not_granted_has_no_variable(changes: dict[str, Any]) -> None:
    assert plan.granted_callees([grant(**changes)], ORDERS.of_service) == {}


def test_an_address_of_somebody_who_is_not_granted_is_refused() -> None:
    with pytest.raises(Refusal, match="no manifest grants s-orders a call to ledger"):
        plan.callees_of(
            [grant()], ORDERS.of_service, {"ledger": Address("a", 1)}, Address("127.0.0.1", 15001)
        )


def test_the_environment_has_bindings_identity_and_telemetry_and_keeps_what_was_said() -> None:
    gained = running.environment_of(
        ORDERS,
        {"STOCK_URL": ("inventory", "http://127.0.0.1:15001")},
        "http://127.0.0.1:4317",
        {"OTEL_SERVICE_NAME": "mine", "OTEL_RESOURCE_ATTRIBUTES": "team=a"},
    )

    assert gained["STOCK_URL"] == "http://127.0.0.1:15001"
    assert gained["BINDTRACE_BINDINGS"] == "STOCK_URL=inventory"
    assert gained["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:4317"
    assert (
        gained["OTEL_RESOURCE_ATTRIBUTES"] == "deployment.environment.name=production,deployment.id=d1,team=a"
    )
    assert "OTEL_SERVICE_NAME" not in gained


@pytest.mark.parametrize(
    ("code", "status"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)]
)
def test_the_exit_status_is_the_commands(code: str, status: int) -> None:
    assert running.run([sys.executable, "-c", code], os.environ, None) == status


def test_a_command_that_is_not_there_is_refused() -> None:
    with pytest.raises(Refusal, match="cannot be started"):
        running.run(["/nowhere/x"], {}, None)


def test_signals_are_handed_on(tmp_path: Path) -> None:
    up = tmp_path / "up"
    code = (
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        f"pathlib.Path({str(up)!r}).touch()\n"
        "time.sleep(30)"
    )
    script = (
        "import os, sys; from bindtrace.propagation.proxies.running import run\n"
        f"sys.exit(run([sys.executable, '-c', {code!r}], os.environ, None))"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    wait_for(up.exists, what="the command")

    process.send_signal(signal.SIGTERM)

    assert process.wait(10) == 5


def test_a_command_ends_with_its_sidecar() -> None:
    sidecar = running.Sidecar([sys.executable, "-c", "import time; time.sleep(30)"], [])
    threading.Timer(0.3, sidecar.stop).start()
    began = time.monotonic()

    assert running.run([sys.executable, "-c", "import time; time.sleep(30)"], os.environ, sidecar) == 1
    assert time.monotonic() - began < 15


def test_a_sidecar_that_does_not_listen_is_a_refusal() -> None:
    with pytest.raises(Refusal, match="does not listen on 127"):
        running.Sidecar([sys.executable, "-c", ""], [Address("127.0.0.1", 1)])
