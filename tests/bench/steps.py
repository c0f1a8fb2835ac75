"""What each step of the analysis costs, its Python part included. Only watches: changes nothing that is run."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bindtrace.queries import sql_files


@dataclass(slots=True)
class Spent:
    """Seconds on the clock, over all threads that ran the step; and of CPU, of the whole process meanwhile."""

    wall_s: float = 0.0
    cpu_s: float = 0.0


@contextmanager
def watched() -> Iterator[dict[str, Spent]]:
    """By name of the step. CPU is that of a step only where one thread analyses and no other works."""
    spent: dict[str, Spent] = defaultdict(Spent)
    whole = sql_files.ordered

    def watching(name: str) -> Iterator[sql_files.SqlFile]:
        for step in whole(name):
            began, burnt = time.perf_counter(), time.process_time()
            yield step
            spent[step.name].wall_s += time.perf_counter() - began
            spent[step.name].cpu_s += time.process_time() - burnt

    setattr(sql_files, "ordered", watching)  # noqa: B010  the one seam between two steps
    try:
        yield spent
    finally:
        setattr(sql_files, "ordered", whole)  # noqa: B010
