"""Which thread gives way where cores are short: the analysis, to answers and to storing. Sets nothing else."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import Final

ANALYSIS: Final = 5
"""Niceness: it catches up when there is less to store. Storing itself gives way to nobody: senders wait for it."""


def lower(niceness: int) -> None:
    """Of this thread alone, on Linux, where threads have one of their own; elsewhere nothing happens."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
