"""Nested hops as the report `chain` gives them, for pictures that need no database."""

from __future__ import annotations

from typing import Any

START = 1_790_000_000_000_000_000


def hop(caller: str | None, callee: str | None, *children: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A hop `at_ms` after the start of its chain."""
    at_ms = more.pop("at_ms", 0)
    return {
        "trace_id": "ab" * 16, "scope": "shop", "caller": caller, "callee": callee, "kind": "call", "road": "binding",
        "protection": "unknown", "verdict": "allowed", "reason": "declared", "grade": "claimed", "pairing": "parent",
        "start_time_unix_nano": str(START + int(at_ms * 1_000_000)), "duration_ms": 100.0, "error": False,
        "attempts": 1, "binding": None, "evidence": ["01" * 8], **more, "children": list(children),
    }  # fmt: skip


def small_chain() -> dict[str, Any]:
    """Five spans' worth of hops: one denied, one by mTLS, one inferred, one failed after three attempts."""
    stock = hop(
        "orders", "stock", at_ms=20, duration_ms=10.0, verdict="denied", reason="undeclared", road="private"
    )
    orders = hop("web", "orders", stock, at_ms=10, duration_ms=50.0, protection="mtls", binding="ORDERS_URL")
    catalog = hop(
        "web", "catalog", at_ms=70, duration_ms=30.0, pairing="binding-header", error=True, attempts=3
    )
    return hop(None, "web", orders, catalog, pairing="none", road="public")


def edge(caller: str | None, callee: str, **more: Any) -> dict[str, Any]:
    """A row of the report `edges`."""
    return {
        "scope": "shop", "caller": caller, "caller_env": "production" if caller else None, "callee": callee,
        "callee_env": "production", "kind": "call", "calls": 10, "errors": 0, "denied": 0, "road": "binding",
        "protection": "tls", "verdict": "allowed", "grade": "claimed", "p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0,
        **more,
    }  # fmt: skip
