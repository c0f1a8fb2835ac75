"""T6: certificates, tokens and authorities rotate under load for minutes, with outages of the authority between."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from campaigning import quantity
from interop.rotating_sidecars import Certified, through_envoys
from interop.sidecars import reported
from rotating import (
    INVENTORY,
    ORDERS,
    SCALED,
    Callers,
    Scaled,
    by_grpc,
    by_httpx,
    by_sidecar,
    called,
    called_by_grpc,
)
from serving import collecting
from support import wait_for

from bindtrace.propagation.guard.token_checks import LEEWAY_S
from bindtrace.propagation.proxies.plan import address

SECONDS = quantity(600, 75)
CALLERS = quantity(16, 4)


@pytest.mark.timeout(SECONDS * 3 + 120)
@pytest.mark.parametrize("proof", ["mtls", "wpt"])
@pytest.mark.parametrize("road", ["http", "grpc"])
def test_no_call_fails_while_everything_rotates(tmp_path: Path, road: str, proof: str) -> None:
    serves, by = {"http": (called, by_httpx), "grpc": (called_by_grpc, by_grpc)}[road]
    scaled = Scaled(tmp_path)
    with scaled.running():
        callee, caller = scaled.join(INVENTORY), scaled.join(ORDERS)
        with serves(callee) as port, Callers(by(caller, port, proof), CALLERS) as callers:
            time.sleep(SECONDS)
        rotations = caller.generation.number, callee.generation.number, scaled.cas()
        caller.close()
        callee.close()

    print(f"{road}, {proof}: {callers.outcomes} generations and authorities {rotations}")
    assert set(callers.outcomes) == {"200"}
    assert min(rotations[:2]) >= SECONDS / 6
    assert rotations[2] >= 1 + SECONDS // 75


@pytest.mark.timeout(SECONDS * 3 + 120)
def test_no_call_through_two_envoys_fails_while_everything_rotates(tmp_path: Path) -> None:
    """As users run them: with a collector that takes their spans, refused handshakes and statistics."""
    scaled, app = Scaled(tmp_path), Certified()
    with (
        collecting(tmp_path / "t.duckdb", receivers=1) as collector,
        scaled.running(),
        through_envoys(scaled, tmp_path, app, address(collector.endpoints["grpc"])) as port,
        Callers(by_sidecar(port), CALLERS) as callers,
    ):
        time.sleep(SECONDS)
        rotations = len(app.certificates), scaled.cas()
        edges = wait_for(lambda: reported(collector.endpoints["api"], "edges"), seconds=60, what="an edge")

    print(f"envoy: {callers.outcomes} certificates of the caller and authorities {rotations}")
    print(*edges, sep="\n")
    assert set(callers.outcomes) == {"200"}
    assert rotations[0] >= SECONDS / 6
    assert rotations[1] >= 1 + SECONDS // 75
    assert ("orders", "inventory", "mtls") in {
        (edge["caller"], edge["callee"], edge["protection"]) for edge in edges
    }
    assert not any(edge["denied"] for edge in edges)


@pytest.mark.timeout(600)
def test_short_outages_cost_nothing(tmp_path: Path) -> None:
    """40 % of the token's life, five times."""
    scaled = Scaled(tmp_path)
    stop = scaled.start()
    callee, caller = scaled.join(INVENTORY), scaled.join(ORDERS)
    with called(callee) as port, Callers(by_httpx(caller, port), 4) as callers:
        for _ in range(quantity(5, 2)):
            stop()
            time.sleep(SCALED.token_s * 0.4)
            stop = scaled.start()
            number = caller.generation.number
            wait_for(lambda before=number: caller.generation.number > before, seconds=30, what="a renewal")
    stop()
    caller.close()
    callee.close()

    assert set(callers.outcomes) == {"200"}


@pytest.mark.timeout(600)
def test_a_long_outage_ends_in_expired_credentials_and_is_over_within_seconds(tmp_path: Path) -> None:
    """150 % of the token's life and the leeway: receivers refuse what has expired; the certificate lives longer."""
    scaled = Scaled(tmp_path, replace(SCALED, ca_s=800, token_key_s=800, leaf_s=120))
    stop = scaled.start()
    callee, caller = scaled.join(INVENTORY), scaled.join(ORDERS)
    with called(callee) as port, Callers(by_httpx(caller, port), 4) as callers:
        wait_for(lambda: caller.generation.number >= 2, seconds=30, what="a renewal")
        stop()
        time.sleep(SCALED.token_s * 1.5 + LEEWAY_S)
        back = time.monotonic()
        stop = scaled.start()
        number = caller.generation.number
        wait_for(lambda: caller.generation.number > number, seconds=90, what="recovery")
        recovered = time.monotonic() - back
        time.sleep(2)
        last_failure = max((at for name, at in callers.last.items() if name != "200"), default=0.0)
    stop()
    caller.close()
    callee.close()

    print(f"{callers.outcomes}, recovered after {recovered:.1f} s")
    assert set(callers.outcomes) == {"200", "expired"}
    assert recovered <= 5
    assert last_failure <= back + 5
