"""A value that is not there, with the reason why. For a peer's bad bytes; never for our own mistakes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Absent:
    """Stands where a value should be. `reason` is one word of a closed list of the codec that made it."""

    reason: str
