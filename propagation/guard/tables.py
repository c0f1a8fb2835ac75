"""How the tables of reasons are read: rows in order, the first that does not hold is the answer. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVarTuple

Subject = TypeVarTuple("Subject")


def refused(rows: Iterable[tuple[str, Callable[[*Subject], bool]]], *subject: *Subject) -> str | None:
    """The reason of the first row that does not hold for `subject`; None where all hold."""
    for reason, holds in rows:
        if not holds(*subject):
            return reason
    return None
