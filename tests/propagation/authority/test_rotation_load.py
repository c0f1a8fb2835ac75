"""T6 in small: certificates, tokens and authorities rotate while calls run, and none fails."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from rotating import INVENTORY, ORDERS, Callers, Scaled, by_grpc, by_httpx, called, called_by_grpc
from support import wait_for

from bindtrace.propagation.authority.rotation import Lives

QUICK = Lives(ca_s=30, token_key_s=30, leaf_s=3, token_s=3, skew_s=1, refresh_s=1, publish_s=3)


ROADS = {
    "http": (called, lambda caller, port: by_httpx(caller, port)),
    "grpc": (called_by_grpc, lambda caller, port: by_grpc(caller, port)),
}


@pytest.mark.slow
@pytest.mark.parametrize("road", ROADS)
def test_no_call_fails_while_everything_rotates(tmp_path: Path, road: str) -> None:
    serves, by = ROADS[road]
    scaled = Scaled(tmp_path, QUICK)
    with scaled.running():
        callee, caller = scaled.join(INVENTORY), scaled.join(ORDERS)
        with serves(callee) as port, Callers(by(caller, port), 2) as callers:
            wait_for(
                lambda: scaled.cas() >= 2 and caller.generation.number >= 8, seconds=100, what="rotations"
            )
        caller.close()
        callee.close()

    assert set(callers.outcomes) == {"200"}
    assert callers.outcomes["200"] > 200


@pytest.mark.slow
def test_an_outage_shorter_than_two_fifths_of_the_life_costs_nothing(tmp_path: Path) -> None:
    scaled = Scaled(
        tmp_path, Lives(ca_s=120, token_key_s=120, leaf_s=16, token_s=16, skew_s=1, refresh_s=1, publish_s=3)
    )
    stop = scaled.start()
    callee, caller = scaled.join(INVENTORY), scaled.join(ORDERS)
    with called(callee) as port, Callers(by_httpx(caller, port), 2) as callers:
        wait_for(lambda: caller.generation.number >= 2, seconds=30, what="the first renewal")
        stop()
        time.sleep(5.5)  # less than two fifths: what is left is for a machine that does other things too
        with scaled.running():
            number = caller.generation.number
            wait_for(lambda: caller.generation.number > number, seconds=30, what="the next renewal")
    caller.close()
    callee.close()

    assert set(callers.outcomes) == {"200"}
