"""No test depends on the terminal or the settings of whoever runs it, nor asks another machine (T26)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from watching import watching

# a script's background job ignores Ctrl-C, and so would every command that a test starts and interrupts
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR") or (
            name.startswith(("BINDTRACE_", "OTEL_")) and name != "BINDTRACE_FIXTURES"
        ):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _nobody_elsewhere() -> Iterator[None]:
    """Whatever a test feeds to us, this process connects to its own machine alone, and looks up no name."""
    with watching() as watched:
        yield
    assert watched.asked == set(), "a connection or a look-up of another machine"
