"""What the demo prints of a collector's answers, as the questions of the command line would. Asks, never judges."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bindtrace.collector.demo.traffic import Visit, missing
from bindtrace.queries import render
from bindtrace.queries.explain import explain
from bindtrace.queries.query import Query
from bindtrace.queries.source import Source

SEEN_S = 45.0
_POLL_S = 0.1


def wait_until_seen(source: Source, query: Query, planned: Sequence[Visit], hosts: Mapping[str, str]) -> int:
    """Returns when the hops show every call of these visits, or after `SEEN_S`; the answer is how many they lack."""
    limit = time.monotonic() + SEEN_S
    while (
        lacking := missing(planned, source.rows("hops", query), hosts).total()
    ) and time.monotonic() < limit:
        time.sleep(_POLL_S)
    return lacking


def show_all(source: Source, query: Query, option: str) -> None:
    """Chains and edges as tables, each finding with its evidence and remedy, and how to look further.

    `option` is what a command needs to find the same data later, as `--db traces.duckdb`.
    """
    chains = source.rows("chains", query)
    heading("Chains", "the paths that calls took, from the outside to the last service")
    render.show(render.table("chains", chains))
    heading("Edges", "who called whom, by which road, and whether a manifest grants it")
    render.show(render.table("edges", source.rows("edges", query)))
    findings = source.rows("findings", query)
    heading("Findings", "what should not have happened")
    render.show(explain(findings, option), prose=True)
    example = next((row["example"]["trace_id"] for row in findings if row["example"]), None)
    _further(option, example or next((row["example_trace_id"] for row in chains), None))


def _further(option: str, trace_id: str | None) -> None:
    """The commands that go on from here, ready to copy."""
    commands = [f"chain {trace_id}"] if trace_id else []
    commands += ["hops --limit 20", "grants", "rule public-route"]
    render.say("look further:")
    for command in commands:
        render.say(f"  bindtrace {command} {'' if command.startswith('rule ') else option}".rstrip())


def heading(title: str, meaning: str) -> None:
    """A title between what is printed."""
    render.out(f"\n{title}: {meaning}\n\n")
