"""Plays every scene for twenty days, and asks what was found."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import duckdb
from drawing import NOON, SECOND, S, draw

from bindtrace.propagation.manifest import (
    Manifest,
)
from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.policy import install_policy
from bindtrace.queries.query import Query
from topologies.scene import FILE, SCENES, Scene

TRACES = 500
DAYS = 20
BEGIN = NOON - DAYS * 86400 * SECOND
STEP = DAYS * 86400 * SECOND // TRACES


def play(con: duckdb.DuckDBPyConnection, *, bad: bool, keep_one_in: int = 1) -> list[Scene]:
    """Draws every scene, one fault in five traces, of which one in so many is kept, and analyses."""
    scenes = [Scene(number, bad) for number in range(1, len(SCENES) + 1)]
    for build, one in zip(SCENES, scenes, strict=True):
        build(one)
    install_policy(con, [_manifest(scenes)], BEGIN)
    _templates(con, scenes)
    threshold = None if keep_one_in == 1 else f"ot=th:{int((1 - 1 / keep_one_in) * 2**56):014x}"
    con.execute(
        _REPLAY, {"begin": BEGIN, "step": STEP, "traces": TRACES, "keep": keep_one_in, "threshold": threshold}
    )
    con.execute("delete from spans where load_id = 1")
    for one in scenes:
        for what, reason in one.senders:
            con.execute(
                "insert into senders values (?, '', '', 'http', ?, ?, 3, ?)",
                [one("orders"), what, reason, NOON],
            )
    analyse(con)
    return scenes


_REPLAY = """
insert into spans by name
select s.* replace (
    md5(p.scene || ':' || i)::uuid as trace_id,
    s.start_time_unix_nano - $noon_of + $begin + i * $step as start_time_unix_nano,
    s.end_time_unix_nano - $noon_of + $begin + i * $step as end_time_unix_nano,
    coalesce($threshold, s.trace_state) as trace_state,
    2 as load_id
)
from range($traces) as r (i)
join plays as p on p.turn = i % p.turns
join spans as s on s.trace_id = p.template
where hash(i) % $keep = 0
""".replace("$noon_of", str(NOON))


def _templates(con: duckdb.DuckDBPyConnection, scenes: Sequence[Scene]) -> None:
    """One trace a template; `plays` says which of them is played at which turn."""
    con.execute("create temp table plays (scene integer, turn integer, turns integer, template uuid)")
    spans, plays = list[S](), list[tuple[int, int, int, uuid.UUID]]()
    for one in scenes:
        turns = one.faults if one.always else [*one.good * (4 if one.faults else 1), *one.faults]
        for turn, template in enumerate(turns):
            trace = one.number * 1000 + turn
            spans += [replace(each, trace=trace) for each in template]
            plays.append((one.number, turn, len(turns), uuid.UUID(int=trace)))
    draw(con, *spans)
    con.executemany("insert into plays values (?, ?, ?, ?)", plays)


def _manifest(scenes: Sequence[Scene]) -> Manifest:
    def all_of(part: str) -> tuple[Any, ...]:
        return tuple(row for one in scenes for row in getattr(one, part))

    parts = ("services", "grants", "exposures", "hosts", "matches", "ranges", "probes", "accepted")
    return Manifest(FILE, "shop", "", "1", **{part: all_of(part) for part in parts})


def findings(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    return run_report(con, "findings", Query())


def missed(scenes: Sequence[Scene], found: Sequence[dict[str, Any]]) -> list[str]:
    """The faults that were not found, or not graded as they should be; one sentence each."""
    names = dict(zip((one.number for one in scenes), (build.__name__ for build in SCENES), strict=True))
    wrong = []
    for one in scenes:
        assert one.expected is not None, names[one.number]
        rule, subject, grade = one.expected
        grades = {
            row["grade"] for row in found if row["rule"] == rule and subject in (row["caller"], row["callee"])
        }
        if grade not in grades:
            wrong.append(
                f"{names[one.number]}: {rule} of {subject} is {sorted(grades) or 'not found'}, not {grade}"
            )
    return wrong
