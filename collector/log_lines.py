"""One line a log event, whatever senders and askers put into it. Writes nothing itself."""

from __future__ import annotations

import logging
import sys

from bindtrace.queries import cells


class OneLine(logging.Formatter):
    """Tracebacks too are one line, their lines joined by ` | `; what a terminal would obey is spelled out."""

    def format(self, record: logging.LogRecord) -> str:
        return cells.visible(" | ".join(super().format(record).splitlines()))


def log_to_stderr(pattern: str) -> None:
    """Sets up this process's log from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(pattern))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
