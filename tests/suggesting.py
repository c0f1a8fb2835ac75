"""`policy suggest` as a person runs it, and the calls that it is told of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from bindtrace.propagation.command import bindtrace


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(bindtrace, ["policy", "suggest", *map(str, words)])


def call(caller: str, callee: str, **other: Any) -> dict[str, Any]:
    common: dict[str, Any] = {
        "kind": "call", "callee_env": None, "binding": None, "method": "GET", "grade": "claimed", "verdict": "allowed",
        "calls": 3, "days": 1, "peer_caller": None, "scope": None, "caller_env": None, "path": "/x", "host": None,
        "protection": "mtls", "from_outside": False, "last_seen": "1790000000000000000",
    }  # fmt: skip
    return common | {"caller": caller, "callee": callee} | other
