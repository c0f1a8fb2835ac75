"""No test depends on the terminal or the settings of whoever runs it."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR") or (
            name.startswith(("BINDTRACE_", "OTEL_")) and name != "BINDTRACE_FIXTURES"
        ):
            monkeypatch.delenv(name)
