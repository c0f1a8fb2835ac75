"""How long each temporary table of the analysis is needed: until the last step that names it. Pure; reads SQL text.

A run over 100,000 spans left 336 MiB of them behind, and held most of that to its end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from bindtrace.queries import sql_files

_MADE: Final = re.compile(r"create or replace temp (table|view) (\w+)")
_WORD: Final = re.compile(r"\w+")
_REPAIRED_BY: Final = "walk"
"""The last step after which a repair may run."""
_READ_BY_PYTHON: Final = {"requests_seen": "spoken_of judged_by"}
"""What `ruling.py` reads after that step."""
_KEPT: Final = frozenset({"touched"})
"""Counted when all is done."""


@cache
def last_needed() -> dict[str, tuple[str, ...]]:
    """By step of `analysis/`: the tables that no later one reads."""
    return found_in(
        [
            (step.name, f"{step.text}\n{_READ_BY_PYTHON.get(step.name, '')}")
            for step in sql_files.ordered("analysis")
        ],
        [repair.text for repair in sql_files.folder("repairs").values()],
    )


def found_in(steps: Sequence[tuple[str, str]], repairs: Sequence[str] = ()) -> dict[str, tuple[str, ...]]:
    """As `last_needed`, of named texts in order. A view needs its tables for as long as it is needed itself."""
    made = {name: kind for _, text in steps for kind, name in _MADE.findall(text)}
    last: dict[str, int] = {}
    for at, (step, text) in enumerate(steps):
        whole = "\n".join((text, *(repairs if step == _REPAIRED_BY else ())))
        for name in made.keys() & set(_WORD.findall(whole)):
            last[name] = at
    for _, text in reversed(steps):
        for kind, view in _MADE.findall(text):
            if kind == "view":
                for name in made.keys() & set(_WORD.findall(text)):
                    last[name] = max(last[name], last[view])
    ends: dict[str, list[str]] = {}
    for name, at in last.items():
        if made[name] == "table" and name not in _KEPT:
            ends.setdefault(steps[at][0], []).append(name)
    return {step: tuple(sorted(names)) for step, names in ends.items()}
