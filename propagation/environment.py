"""The process environment, read here and nowhere else. Never writes it."""

from __future__ import annotations

import os


def read(name: str, default: str | None = None) -> str | None:
    """The variable's value; `default` where it is unset or empty (OpenTelemetry reads empty as unset)."""
    return os.environ.get(name) or default


def snapshot() -> dict[str, str]:
    """A copy of all variables as they are now."""
    return dict(os.environ)
