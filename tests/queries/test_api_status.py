"""Status, health, and waiting for one's own writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from answering import Api

from bindtrace.queries.api.app import LONGEST_WAIT_S, build

POSITION = f"{'ab' * 16}:42"


def api(
    status: Callable[[], dict[str, Any]] = lambda: {"pid": 7, "endpoints": {}},
    wait: Callable[[str, float], bool] = lambda position, timeout: True,
) -> Api:
    return Api(build(lambda name, query: [], status, wait))


def test_status_is_what_the_collector_says() -> None:
    assert api().get("/api/status").json() == {"pid": 7, "endpoints": {}}


def test_a_visible_position_is_200_and_spelled_in_lower_case() -> None:
    reply = api().get("/api/wait", params={"position": POSITION.upper()})

    assert (reply.status_code, reply.json()) == (200, {"position": POSITION, "visible": True})


def test_a_position_that_stays_invisible_is_504() -> None:
    reply = api(wait=lambda position, timeout: False).get(
        "/api/wait", params={"position": POSITION, "timeout": "0.01"}
    )

    assert reply.status_code == 504
    assert (reply.json()["position"], reply.json()["visible"]) == (POSITION, False)
    assert "0.01 s" in reply.json()["error"]["message"]


def test_waiting_has_a_default_and_an_upper_limit() -> None:
    waited: list[float] = []
    client = api(wait=lambda position, timeout: waited.append(timeout) is None)

    client.get("/api/wait", params={"position": POSITION})
    client.get("/api/wait", params={"position": POSITION, "timeout": "99999"})

    assert waited == [10.0, LONGEST_WAIT_S]


@pytest.mark.parametrize(
    "parameters",
    [{}, {"position": "42"},
     {"position": f"{'ab' * 16}:"}, {"position": f"{'zz' * 16}:1"}, {"position": f"{POSITION}\n"},
     {"position": POSITION, "timeout": "-1"}, {"position": POSITION, "timeout": "nan"}],
)  # fmt: skip
def test_a_bad_position_or_timeout_is_400_and_named(parameters: dict[str, str]) -> None:
    reply = api().get("/api/wait", params=parameters)

    assert reply.status_code == 400
    assert ("`timeout`" if "timeout" in parameters else "`position`") in reply.json()["error"]["message"]


def test_alive_needs_no_database_and_ready_does() -> None:
    def broken() -> dict[str, Any]:
        raise RuntimeError("storage is gone")

    assert api(broken).get("/livez").status_code == 200
    assert api(broken).get("/readyz").status_code == 503
    assert api(lambda: {"ready": False}).get("/readyz").status_code == 503
    assert api().get("/readyz").status_code == 200
