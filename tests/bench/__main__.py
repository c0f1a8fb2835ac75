"""`python tests/bench [NAME …]`: named measurements, each printed with the machine it ran on. `--help` lists them.

Every rate of ingest stands beside what `FromString` alone does with the same bytes on one core, in the same run.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import analysis  # noqa: E402  the paths above come first
import ingest_benches as benches  # noqa: E402
import judgement  # noqa: E402
import reads  # noqa: E402
import runs  # noqa: E402
import sealed_days  # noqa: E402
import sealed_files  # noqa: E402
from authz_asked import authz_asked  # noqa: E402
from collectors import collectors  # noqa: E402
from guard_added import guard_added  # noqa: E402
from guard_called import guard_loop  # noqa: E402

BENCHES: dict[str, Callable[[], Iterator[str]]] = {
    **benches.BENCHES,
    "guard": guard_added,
    "guard-loop": guard_loop,
    "authz": authz_asked,
    "collectors": collectors,
}
"""Several may be named at once."""
ALONE: dict[str, Callable[[list[str]], None]] = {
    "analysis": analysis.main,
    "runs": runs.main,
    "judgement": judgement.main,
    "reads": reads.main,
    "sealed": sealed_days.main,
    "files": sealed_files.main,
}
"""With arguments of their own, which follow the name."""

QUICK = (
    "decode",
    "size",
    "http",
    "grpc",
    "http-one",
    "grpc-one",
    "latency",
    "delay",
    "overload",
    "guard",
    "authz",
)
"""Those of a run that names none."""


def main(names: list[str]) -> int:
    if "--help" in names or "-h" in names:
        print(f"usage: python tests/bench [NAME …]\n\nnames: {', '.join(BENCHES)}\nor one of these alone:")
        for name, work in ALONE.items():
            opening = (sys.modules[work.__module__].__doc__ or "").partition("\n")[0]
            print(f"  {name:<10} {opening}")
        print("Other programs beside ours: python tests/bench/peers --help")
        print("README.md beside this file says what each measures, and what it found.")
        return 0
    if names and names[0] in ALONE:
        ALONE[names[0]](names[1:])
        return 0
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        known = f"{', '.join(BENCHES)}; alone: {', '.join(ALONE)}"
        print(f"error: no bench {unknown[0]!r}. fix: one of {known}", file=sys.stderr)
        return 2
    memory = psutil.virtual_memory().total / 2**30
    print(
        f"machine: {os.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}, Python {platform.python_version()}"
    )
    print(f"load average at start: {os.getloadavg()[0]:.1f}")
    for name in names or QUICK:
        began = time.monotonic()
        for line in BENCHES[name]():
            print(f"{name}: {line}", flush=True)
        print(f"{name}: took {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
