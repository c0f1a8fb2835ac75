"""Which rules the calls of some traces concern, told once of each distinct tuple of facts.

The statement that tells takes longer to plan than a trace takes to read (7 ms of 27 conditions), and calls are alike:
a process runs it for facts that it has not seen before under the policy in force. Never runs a rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import duckdb

from bindtrace.queries.catalog import Row
from bindtrace.queries.rules import RULES
from bindtrace.queries.stored_traces import Wanted, asked

FACTS: Final = (
    "answered", "orphan", "depth", "caller", "caller_env", "caller_deployment", "callee", "callee_env",
    "callee_deployment", "kind", "verified_caller", "road", "protection", "verdict", "reason", "guarded_at", "grade",
    "pairing", "marks",
)  # fmt: skip
"""The columns of a call that `concerns` of a rule may read; what else it reads is in the digest of the policy."""

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
    conditions = "".join(f',\n    coalesce({rule.concerns}, false) as "rule {rule.name}"' for rule in rules)
    told = {}
    for row in asked(con, _TEXT.format(facts=", ".join(FACTS), conditions=conditions), traces):
        names = frozenset(rule.name for rule in rules if row[f"rule {rule.name}"])
        told[_facts(row)] = names
        if row["policy"]:
            if len(_known) >= MOST:
                _known.clear()
            _known[tuple(row[name] for name in _STATE) + _facts(row)] = names
    return told


_TEXT: Final = """select
    {facts},
    (select any_value(value) from meta where key = 'policy') as policy,
    exists (select 1 from deployment_states) as deployments{conditions}
from (
    select {facts}
    from hops
    where load_id >= $first_load and load_id <= $last_load and trace_id in (select unnest($traces::uuid[]))
) as calls"""


def _facts(row: Row) -> Key:
    return tuple(tuple(row[name]) if name == "marks" else row[name] for name in FACTS)
