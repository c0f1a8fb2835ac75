"""Turns stored spans into judged hops, trace by trace and set-wise; the steps are the SQL files of `analysis/`.

Two steps are Python's, each over distinct values only: the class of every host, and the decision on every tuple of
facts. One code path serves the incremental run and the rebuild.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import duckdb

from bindtrace.propagation.addresses import bare_host, host_class
from bindtrace.propagation.decision import Facts, decide
from bindtrace.queries import sql_files
from bindtrace.queries.policy import insert_rows, policy_digest

Connection = duckdb.DuckDBPyConnection


def analyse(con: Connection) -> int:
    """Brings the hops up to date with the spans; returns how many traces were done.

    Handles the traces touched by loads newer than the watermark, or all of them where the policy that the stored
    hops were judged by is no longer in force. One transaction with its watermark: a crash anywhere repeats, never
    doubles.
    """
    con.execute("begin")
    try:
        after, upto, policy = _due(con)
        touched = _run(con, after, upto) if upto > after else 0
        con.execute("delete from analysis")
        con.execute("insert into analysis values (?, ?)", [upto, policy])
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return touched


def rebuild(con: Connection) -> int:
    """Computes every hop anew from the spans; the result equals what the incremental runs had stored."""
    con.execute("delete from analysis")
    return analyse(con)


def _due(con: Connection) -> tuple[int, int, str]:
    policy = policy_digest(con)
    stored = con.execute("select load_id, policy from analysis").fetchone()
    newest = con.execute("select coalesce(max(load_id), 0) from spans").fetchone()
    after = stored[0] if stored and stored[1] == policy else 0
    return after, newest[0] if newest else 0, policy


def _run(con: Connection, after: int, upto: int) -> int:
    for step in sql_files.ordered("analysis"):
        con.execute(step.text, {"after": after, "upto": upto} if step.name == "touched" else None)
        if finish := _PYTHON_STEPS.get(step.name):
            finish(con)
    count = con.execute("select count(*) from touched").fetchone()
    return count[0] if count else 0


def _class_hosts(con: Connection) -> None:
    hosts = [
        host for (host,) in con.execute("select host from hosts_called where host is not null").fetchall()
    ]
    _replace_temp(
        con,
        "host_classes",
        "host varchar, bare varchar, class varchar",
        ((host, bare_host(host), host_class(host)) for host in hosts),
    )


def _judge(con: Connection) -> None:
    tuples = [Facts(*row) for row in con.execute("select * from facts_seen").fetchall()]
    columns = ", ".join(f"fact_{field} varchar" for field in Facts._fields)
    _replace_temp(
        con,
        "decisions",
        f"{columns}, verdict varchar, reason varchar",
        ((*facts, *decide(facts)) for facts in tuples),
    )


_PYTHON_STEPS: dict[str, Callable[[Connection], None]] = {"hosts_called": _class_hosts, "facts_seen": _judge}


def _replace_temp(con: Connection, name: str, columns: str, rows: Iterable[Sequence[str]]) -> None:
    con.execute(f"create or replace temp table {name} ({columns})")
    insert_rows(con, name, rows)
