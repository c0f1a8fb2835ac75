"""Which thread goes first where cores are short: answers to senders, then storing, then analysis. Sets nothing else."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import Final

STORING: Final = 3
ANALYSIS: Final = 8
"""Niceness. Held answers keep receivers from running away, and analysis catches up when there is less to store."""


def lower(niceness: int) -> None:
    """Of this thread alone, on Linux, where threads have one of their own; elsewhere nothing happens."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
