"""Runs the steps of `analysis/` over some loads, with Python's part of them; never decides which, nor commits.

Python's part is over distinct values only: the class of every host, whose identity a certificate shows, what policies
say of a request, and the decision on every tuple of facts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Final

import duckdb

from bindtrace.propagation.addresses import (
    Range,
    bare_host,
    declared_range,
    declared_ranges,
    host_class,
    within,
)
from bindtrace.propagation.decision import FACT_VALUES, Facts, decide
from bindtrace.propagation.vocabulary import PEER_ID, VERIFIED_CALLER
from bindtrace.propagation.witnesses import witness_of
from bindtrace.queries import sql_files
from bindtrace.queries.lake.place import is_attached
from bindtrace.queries.lake.sealing import recall
from bindtrace.queries.lifetimes import last_needed
from bindtrace.queries.ruling import replace_temp, rule_requests
from bindtrace.queries.unsigned import unsigned

Connection = duckdb.DuckDBPyConnection

Values = dict[str, int]
"""Parameters by name; a step's Python part adds those that later steps need."""


def run_steps(
    con: Connection,
    values: Values,
    only: Collection[str] = (),
    but: Collection[str] = (),
    *,
    keep_steps: bool = False,
) -> None:
    """Runs all steps in their order, or `only` some, or all `but` some.

    `values`: `after` and `upto`, the loads; of one of several `shares` (their number) also which `share` (from 0).
    A step's table goes after its last reader, unless `keep_steps`.
    """
    for step in sql_files.ordered("analysis"):
        if step.name not in but and (not only or step.name in only):
            _run(con, step, values)
            if finish := _PYTHON_STEPS.get(step.name):
                finish(con, values)
            if not keep_steps and (tables := last_needed().get(step.name)):
                # in one go: each alone cost 0.3 ms, and there are forty
                con.execute("; ".join(f"drop table if exists {table}" for table in tables))


def touched_traces(con: Connection) -> int:
    """How many traces the last run's steps were of."""
    (count,) = con.execute("select count(*) from touched").fetchone() or (0,)
    return int(count)


def drop_steps(con: Connection) -> None:
    """Lets go of what a run that failed has left: its tables may be what memory is full of."""
    for table in {table for tables in last_needed().values() for table in tables}:
        with suppress(duckdb.Error):
            con.execute(f"drop table if exists {table}")


def _run(con: Connection, step: sql_files.SqlFile, values: Values) -> None:
    """A step that is `only where` something is there, and makes no table, costs its planning only then."""
    if (needed := step.header.get("only where")) and not con.execute(f"{needed} limit 1").fetchone():
        return
    con.execute(step.text, unsigned({name: values[name] for name in step.parameters}))


def _date_issues(con: Connection, values: Values) -> None:
    """When the first credential of which these loads tell was issued: no span before it has shown one.

    And from where to where they make the log longer: only now a call of that time may show what was never issued.
    """
    row = con.execute(
        """
        select
            coalesce(min(issued_unix_nano) filter (load_id > $after), $never),
            coalesce(max(issued_unix_nano) filter (load_id <= $after), min(issued_unix_nano), 0),
            coalesce(max(issued_unix_nano), 0)
        from believed_credentials
        where load_id <= $upto
        """,
        {"never": 2**63 - 1, "after": values["after"], "upto": values["upto"]},
    ).fetchone()
    first, log_from, log_until = row or (2**63 - 1, 0, 0)
    values |= {"issued_since": int(first), "log_from": int(log_from), "log_until": int(log_until)}


def _recall(con: Connection, values: Values) -> None:
    """A trace is computed from all of its spans: what was sealed of it comes back first."""
    if is_attached(con):
        recall(con, values["after"], values["upto"])


def _share_out(con: Connection, values: Values) -> None:
    if "shares" in values:
        _run(con, sql_files.folder("repairs")["share"], values)
    _bound_loads(con, values)


def _bound_loads(con: Connection, values: Values) -> None:
    """The loads of the touched traces' spans and stored hops: constants, so that DuckDB skips all other row groups."""
    row = con.execute(
        """
        select min(first_load_id), max(last_load_id),
            coalesce(min(stored_load_id), 0), coalesce(max(stored_load_id), 0)
        from touched
        """
    ).fetchone()
    first, last, stored_from, stored_to = row or (0, 0, 0, 0)
    values |= {
        "first_load": first or 0,
        "last_load": last or 0,
        "stored_from": stored_from,
        "stored_to": stored_to,
    }


def _tell_copies_apart(con: Connection, values: Values) -> None:
    if con.execute("select 1 from nodes where again limit 1").fetchone():
        for repair in ("copies", "kept"):
            _run(con, sql_files.folder("repairs")[repair], values)


def _walk_on(con: Connection, values: Values) -> None:
    """Where parents lead in a circle, or deeper than the walk goes, it leaves spans behind."""
    while con.execute("select 1 from nodes anti join walk using (node) limit 1").fetchone():
        for repair in ("depth", "cycles"):
            _run(con, sql_files.folder("repairs")[repair], values)
        _run(con, sql_files.folder("analysis")["walk"], values)


def _class_hosts(con: Connection, _: Values) -> None:
    hosts = [
        host for (host,) in con.execute("select host from hosts_called where host is not null").fetchall()
    ]
    ranges = declared_ranges(con.execute("select cidr, kind, service from address_ranges").fetchall())
    probes = con.execute("select name, cidrs from probes").fetchall()
    replace_temp(
        con,
        "host_classes",
        "host varchar, bare varchar, class varchar, egress_of varchar, probes varchar[]",
        ((host, bare_host(host), *_class_of(host, ranges), _probes_at(host, probes)) for host in hosts),
    )


def _class_of(host: str, ranges: Sequence[Range]) -> tuple[str, str | None]:
    declared = declared_range(host, ranges)
    return (host_class(host), None) if declared is None else (declared.host_class, declared.service)


def _probes_at(host: str, probes: Sequence[tuple[str, list[str]]]) -> list[str]:
    return [name for name, cidrs in probes if within(host, tuple(cidrs))]


def _name_witnesses(con: Connection, _: Values) -> None:
    """Whose identity each certificate and verified token is; what `bindtrace.toml` matches comes before its path."""
    matches = con.execute(
        "select value, service from service_matches where attribute in (?, ?)", [PEER_ID, VERIFIED_CALLER]
    ).fetchall()
    services: dict[str, str] = dict(matches)
    seen = [text for (text,) in con.execute("select witness from witnesses_seen").fetchall()]
    named = [(text, found) for text in seen if (found := witness_of(text)) is not None]
    replace_temp(
        con,
        "witnesses",
        "witness varchar, identity varchar, service varchar, environment varchar, deployment varchar",
        (
            (
                text,
                found.subject,
                services.get(found.subject, services.get(found.identity, found.service)),
                found.environment,
                found.deployment,
            )
            for text, found in named
        ),
    )


def judge(con: Connection, _: Values) -> None:
    """Decides on every distinct tuple of `facts_seen`, into `decisions`."""
    tuples = [Facts(*row) for row in con.execute("select * from facts_seen").fetchall()]
    columns = ", ".join(f"fact_{field} varchar" for field in Facts._fields)
    replace_temp(
        con,
        "decisions",
        f"{columns}, verdict varchar, reason varchar",
        ((*facts, *decide(_known(facts))) for facts in tuples),
    )


def _known(facts: Facts) -> Facts:
    """A reason that only a newer shim knows judges nothing here."""
    return facts if facts.receiver in FACT_VALUES["receiver"] else facts._replace(receiver="none")


_PYTHON_STEPS: Final[dict[str, Callable[[Connection, Values], None]]] = {
    "issued": _date_issues,
    "linked": _recall,
    "touched": _share_out,
    "nodes": _tell_copies_apart,
    "walk": _walk_on,
    "hosts_called": _class_hosts,
    "witnesses_seen": _name_witnesses,
    "requests_seen": lambda con, _: rule_requests(con),
    "facts_seen": judge,
}
"""What Python does after a step; it may add values for the parameters of the steps that follow."""
