"""Which thread gives way where cores are short, to answers and to storing. Sets nothing else."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import Final

ANALYSIS: Final = 1
"""Niceness. At 5 it waited for a core a third of the time, beside 20,000 spans/s, and findings were late. Where storing
is behind it rests; storing itself gives way to nobody, as senders wait for it."""
SEALING: Final = 5
"""Of what nobody waits for."""


def lower(niceness: int) -> None:
    """Of this thread alone, on Linux, where threads have one of their own; elsewhere nothing happens."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
