"""What tests of every room share: where the outside fixtures are, the environment, and waiting for a condition."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")

FIXTURES = Path(
    os.environ.get("BINDTRACE_FIXTURES") or Path(__file__).parents[1] / ".." / "shared" / "fixtures"
).resolve()


def fixture(name: str) -> Path:
    """Path of one outside fixture; the test is skipped, with the reason, where the folder is absent."""
    path = FIXTURES / name
    if not path.exists():
        pytest.skip(f"fixture {name} is absent: set BINDTRACE_FIXTURES to the folder that holds it")
    return path


def set_all(monkeypatch: pytest.MonkeyPatch, values: Mapping[str, str]) -> None:
    """Variables of the environment, until the test ends."""
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def wait_for(
    condition: Callable[[], T], *, seconds: float = 10, what: str | Callable[[], str] = "the condition"
) -> T:
    """The first true value of `condition`, asked every 20 ms. Fails the test after `seconds`, saying `what` by then."""
    limit = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > limit:
            pytest.fail(f"waited {seconds} s for {what if isinstance(what, str) else what()}")
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(port: int) -> bool:
    """Whether somebody takes connections on that port of loopback."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
