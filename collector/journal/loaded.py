"""How far storage has come, said to the receivers: a hint for their pace, never what decides what is loaded.

Storage writes `loaded` in the journal's root after every load; receivers read how much still waits.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import UUID

from bindtrace.collector.journal.quarantine import FOLDER as QUARANTINE
from bindtrace.collector.journal.segment import HEADER_SIZE, SegmentName
from bindtrace.propagation.clock import now_unix_nano

FILE = "loaded"


def tell(root: Path, positions: Mapping[UUID, int]) -> None:
    """Replaces the hint. Where it cannot be written, receivers believe that storage stands still."""
    target = root / FILE
    partial = target.with_suffix(".part")
    with contextlib.suppress(OSError):
        partial.write_text(json.dumps({segment.hex: at for segment, at in positions.items()}))
        partial.replace(target)


def say_alive(root: Path) -> None:
    """What was said last is true still."""
    with contextlib.suppress(OSError):
        os.utime(root / FILE)


def forget(root: Path) -> None:
    """Removes the hint: storage has ended, and the journal may be empty."""
    with contextlib.suppress(OSError):
        (root / FILE).unlink()


class Waiting:
    """How much of the journal under `root` no load has taken yet."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._said = (0, 0)  # when storage last said something, and what waited then
        self._path = str(root / FILE)

    def __call__(self, *, anew: bool = True) -> tuple[int, float]:
        """Bytes, and for how many seconds storage has said nothing new: infinity where it was never heard of.

        Not `anew`: where it has said nothing since, what waited the last time, for the price of one look.
        """
        try:
            said_nano = os.stat(self._path).st_mtime_ns
        except OSError:
            said_nano = 0
        if anew or said_nano != self._said[0]:
            self._said = said_nano, self._measure()
        return self._said[1], (now_unix_nano() - said_nano) / 1e9 if said_nano else float("inf")

    def _measure(self) -> int:
        try:
            with open(self._path, "rb") as file:
                loaded = json.load(file)
        except (OSError, ValueError):
            loaded = {}
        total = 0
        for path, size in segments(self._root):
            name = SegmentName.parse(path.rpartition("/")[2])
            if name is not None:
                total += max(0, size - max(HEADER_SIZE, loaded.get(name.segment_id.hex, 0)))
        return total


def segments(root: Path) -> Iterator[tuple[str, int]]:
    """Path and size of every file of every receiver; what goes meanwhile is passed over."""
    with contextlib.suppress(OSError), os.scandir(root) as directories:
        for directory in directories:
            if directory.name != QUARANTINE and directory.is_dir():
                with contextlib.suppress(OSError), os.scandir(directory.path) as files:
                    for file in files:
                        with contextlib.suppress(OSError):
                            yield file.path, file.stat().st_size
