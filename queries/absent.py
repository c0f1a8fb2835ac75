"""Tells Python that libraries are missing for which DuckDB's client would look at every value. Our processes only."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final

_LOOKED_FOR: Final = ("pandas", "numpy")


def note_absent() -> None:
    """From now on importing what is not installed fails at once.

    At each value that is bound, DuckDB 1.5.5 asks whether it is one of pandas' or numpy's, and searches the path for
    them (some 60 times a trace by id, a fifth of its time). Python remembers a module that is there; of one that is
    not it is told by None in `sys.modules` (Python reference, 5.3.1).
    """
    for name in _LOOKED_FOR:
        if name not in sys.modules and find_spec(name) is None:
            sys.modules[name] = None  # type: ignore[assignment]
