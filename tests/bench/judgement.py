"""`python tests/bench judgement [HOPS …]`: hops judged against 2,000 grants under all rules; one decision in Python.

The spans are those of the analysis bench. What counts as judging: the steps that name, place, grade and judge calls,
and then every rule over the whole window. Each size is measured in a process of its own.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import analysis
from steps import watched

from bindtrace.propagation.decision import decide, every_combination
from bindtrace.propagation.manifest import DeclaredService, Grant, Manifest
from bindtrace.queries import analyse, rules
from bindtrace.queries.policy import install_policy
from bindtrace.queries.query import Query

MILLION = 1_000_000
SPANS_PER_HOP = 2.7
GRANTS = 2_000
JUDGING = (
    "periods", "deployed", "browsers", "shapes", "hosts_called", "known_hosts", "sightings", "witnesses_seen", "placed",
    "probed", "dated", "spoken_of", "declared", "requests_seen", "opened", "graded", "facts", "facts_seen", "judged",
)  # fmt: skip
"""Steps of the analysis, Python's parts included."""


def main(arguments: list[str]) -> None:
    """Prints a line a measure."""
    print(decision(), flush=True)
    for hops in [int(one) for one in arguments] or [MILLION]:
        with tempfile.TemporaryDirectory(prefix="bindtrace-bench-") as folder:
            path = Path(folder) / "judged.duckdb"
            analysis._apart(analysis._generate, path, int(hops * SPANS_PER_HOP))
            for line in analysis._apart(_measure, path):
                print(line, flush=True)


def decision() -> str:
    """Microseconds of CPU of one decision, over every combination of facts."""
    combinations = every_combination()
    began = time.process_time()
    for facts in combinations:
        decide(facts)
    each = (time.process_time() - began) / len(combinations) * 1e6
    return f"one decision: {each:.1f} µs CPU (mean of {len(combinations):,} combinations); bar 20"


def _measure(path: Path) -> list[str]:
    con = analysis._open(path)
    install_policy(con, [policy()])
    steps, cpu_steps = _judging(con)
    hops, denied = con.execute(
        "select count(*), count(*) filter (verdict = 'denied') from hops"
    ).fetchone() or (0, 0)
    began, cpu = time.perf_counter(), time.process_time()
    found = rules.findings(con, Query())
    asking, asking_cpu = time.perf_counter() - began, time.process_time() - cpu
    con.close()
    both, both_cpu = steps + asking, cpu_steps + asking_cpu
    what = f"{hops:,} hops, {GRANTS:,} grants, {len(rules.RULES)} rules"
    return [
        f"{what}: {both:.2f} s ({both_cpu:.2f} s CPU); bar 5 s for a million",
        f"  judging  {steps:6.2f} s  {cpu_steps:.2f} s CPU  {denied:,} denied",
        f"  rules    {asking:6.2f} s  {asking_cpu:.2f} s CPU  {len(found):,} findings",
    ]


def _judging(con: analysis.Con) -> tuple[float, float]:
    """A rebuild; seconds and CPU seconds of the steps that judge, their Python included."""
    with watched() as steps:
        analyse.rebuild(con)
    judging = [dict(steps)[name] for name in JUDGING]
    return sum(spent.wall_s for spent in judging), sum(spent.cpu_s for spent in judging)


def policy() -> Manifest:
    """Grants for about half of the pairs that the spans call, and so many others that there are 2,000."""
    names = [f"svc{number}" for number in range(20)]
    pairs = [(one, other) for one in names for other in names][::2]
    others = [(f"other{number}", names[number % 20]) for number in range(GRANTS - len(pairs))]
    return Manifest(
        "vercel.json",
        "vercel",
        "",
        "1",
        services=tuple(DeclaredService("vercel", "", name, None, "vercel.json", 1) for name in names),
        grants=tuple(
            Grant("vercel", "", None, caller, callee, f"B{line}", "vercel.json", line)
            for line, (caller, callee) in enumerate(pairs + others, 1)
        ),
    )
