"""Which rules the calls of some traces concern, worked out once for each distinct tuple of facts.

The statement that tells takes longer to plan than a trace takes to read (7 ms of 27 conditions), and calls are alike:
a process runs it for facts that it has not seen before under the policy in force. Never runs a rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import duckdb

from bindtrace.queries import sql_files
from bindtrace.queries.catalog import Row
from bindtrace.queries.rules import RULES
from bindtrace.queries.stored_traces import ANY, Wanted, asked

FACTS: Final = (
    "answered", "orphan", "depth", "caller", "caller_env", "caller_deployment", "callee", "callee_env",
    "callee_deployment", "kind", "verified_caller", "road", "protection", "verdict", "reason", "guarded_at", "grade",
    "pairing", "marks",
)  # fmt: skip
"""The columns of `traces/calls.sql` that `concerns` of a rule may read, beside what `_STATE` tells of."""

MOST: Final = 20_000
"""Tuples that are kept; then all are forgotten. Of a mesh there are some dozens, but each deployment brings its own."""

Key = tuple[Any, ...]
Names = frozenset[str]

_STATE: Final = ("policy", "deployments")
_known: dict[Key, Names] = {}


def concerned(con: duckdb.DuckDBPyConnection, traces: Wanted, calls: Sequence[Row]) -> list[Names]:
    """For each of the calls (rows of `traces/calls.sql`) the rules that it concerns."""
    state = tuple(traces[name] for name in _STATE)
    facts = [_facts(call) for call in calls]
    # a policy that was not installed has no digest, and may be any
    known = {one: _known.get(state + one) for one in facts} if traces["policy"] else dict.fromkeys(facts)
    if None in known.values():
        known |= _told(con, traces)
    # of a call that changed in between nothing was told: any rule may concern it
    every = frozenset(name for name, rule in RULES.items() if rule.of_hops)
    return [every if (names := known[one]) is None else names for one in facts]


def _told(con: duckdb.DuckDBPyConnection, traces: Wanted) -> dict[Key, Names]:
    """By the facts of the calls of these traces; kept under the policy that the same statement saw."""
    rules = [rule for rule in RULES.values() if rule.of_hops]
    columns = "".join(f',\n    coalesce({rule.concerns}, false) as "rule {rule.name}"' for rule in rules)
    facts, calls = ", ".join(FACTS), sql_files.folder("traces")["calls"].text
    if traces["first_load"] and len(traces["traces"]) == 1:
        # all calls that were stored with its own: of one trace after another few facts are new then
        calls = calls.replace(f" and trace_id {ANY}", "").replace("$first_load", "$last_load")
    text = f"select {facts}, {_SEEN}{columns}\nfrom (select distinct {facts} from (\n{calls}\n)) as calls"
    told = {}
    for row in asked(con, text, traces):
        names = frozenset(rule.name for rule in rules if row[f"rule {rule.name}"])
        told[_facts(row)] = names
        if row["policy"]:
            if len(_known) >= MOST:
                _known.clear()
            _known[tuple(row[name] for name in _STATE) + _facts(row)] = names
    return told


_SEEN: Final = """
    (select any_value(value) from meta where key = 'policy') as policy,
    (select count(*) || ':' || max(load_id) from deployment_states) as deployments"""


def _facts(row: Row) -> Key:
    return tuple(tuple(row[name]) if name == "marks" else row[name] for name in FACTS)
