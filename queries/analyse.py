"""Turns stored spans into judged hops, trace by trace and set-wise; the steps are the SQL files of `analysis/`.

Two steps are Python's, each over distinct values only: the class of every host, and the decision on every tuple of
facts. One code path serves the incremental run and the rebuild.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from bindtrace.queries.policy import policy_digest
from bindtrace.queries.ruling import replace_temp, rule_requests
from bindtrace.queries.unsigned import unsigned

Connection = duckdb.DuckDBPyConnection

SPANS_AT_ONCE: Final = 500_000
"""Spans of one run, which bounds its memory; a run takes whole loads, and at least one."""


def analyse(
    con: Connection,
    spans_at_once: int = SPANS_AT_ONCE,
    runs: int | None = None,
    on_run: Callable[[int], object] = lambda _: None,
) -> int:
    """Brings the hops up to date with the spans; returns how many traces were done.

    Handles the traces touched by loads newer than the watermark, or all of them where the policy that the stored
    hops were judged by is no longer in force. Each run is one transaction with its watermark: a crash anywhere
    repeats, never doubles. With `runs` it returns after so many, whatever was loaded meanwhile. `on_run` is told
    the load up to which all is done.
    """
    done = 0
    while runs != 0 and (span := _due(con, spans_at_once)) is not None:
        done += _one_run(con, *span)
        runs = None if runs is None else runs - 1
        on_run(span[1])
    return done


def analysed_load(con: Connection, newest: int) -> int:
    """Up to which load all spans have their hops; `newest` where every span has, as a load may be without spans."""
    row = con.execute(
        """
        select coalesce(min(load_id) - 1, $newest)
        from spans
        where load_id > (select coalesce(max(load_id), 0) from analysis)
        """,
        {"newest": newest},
    ).fetchone()
    return int(row[0]) if row else newest


def rebuild(
    con: Connection, spans_at_once: int = SPANS_AT_ONCE, on_run: Callable[[int], object] = lambda _: None
) -> int:
    """Computes every hop anew from the spans; the result equals what the incremental runs had stored."""
    con.execute("begin")
    for table in ("analysis", "hops", "traces"):
        con.execute(f"delete from {table}")
    con.execute("commit")
    return analyse(con, spans_at_once, on_run=on_run)


def _due(con: Connection, spans_at_once: int) -> tuple[int, int, str] | None:
    """The loads of the next run as (after, up to), and the policy in force; None when all is done."""
    policy = policy_digest(con)
    stored = con.execute("select load_id, policy from analysis").fetchone()
    after = stored[0] if stored and stored[1] == policy else 0
    (newest,) = con.execute("select coalesce(max(load_id), 0) from spans").fetchone() or (0,)
    if newest <= after:
        return None
    (waiting,) = con.execute(
        "select count(*) from spans where load_id > $after", unsigned({"after": after})
    ).fetchone() or (0,)
    if waiting <= spans_at_once:
        return after, newest, policy
    (upto,) = con.execute(
        """
        select coalesce(max(load_id) filter (spans <= $most), min(load_id))
        from (
            select load_id, sum(count(*)) over (order by load_id) as spans
            from spans where load_id > $after group by load_id
        )
        """,
        unsigned({"most": spans_at_once, "after": after}),
    ).fetchone() or (newest,)
    return after, upto, policy


def _one_run(con: Connection, after: int, upto: int, policy: str) -> int:
    con.execute("begin")
    try:
        touched = _run_steps(con, after, upto)
        con.execute("delete from analysis")
        con.execute("insert into analysis values (?, ?)", [upto, policy])
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return touched


def _run_steps(con: Connection, after: int, upto: int) -> int:
    values = {"after": after, "upto": upto}
    for step in sql_files.ordered("analysis"):
        _run(con, step, values)
        if finish := _PYTHON_STEPS.get(step.name):
            finish(con, values)
    (count,) = con.execute("select count(*) from touched").fetchone() or (0,)
    return int(count)


def _run(con: Connection, step: sql_files.SqlFile, values: dict[str, int]) -> None:
    wanted = [name.strip() for name in step.header.get("parameters", "").partition("(")[0].split(",")]
    con.execute(step.text, unsigned({name: values[name] for name in wanted if name}))


def _date_issues(con: Connection, values: dict[str, int]) -> None:
    """When the first credential of which these loads tell was issued: no span before it has shown one."""
    row = con.execute(
        """
        select coalesce(min(issued_unix_nano), $never)
        from issued_credentials
        where load_id > $after and load_id <= $upto
        """,
        {"never": 2**63 - 1, "after": values["after"], "upto": values["upto"]},
    ).fetchone()
    values["issued_since"] = int(row[0]) if row else 2**63 - 1


def _bound_loads(con: Connection, values: dict[str, int]) -> None:
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


def _tell_copies_apart(con: Connection, values: dict[str, int]) -> None:
    if con.execute("select 1 from nodes where again limit 1").fetchone():
        for repair in ("copies", "kept"):
            _run(con, sql_files.folder("repairs")[repair], values)


def _walk_on(con: Connection, values: dict[str, int]) -> None:
    """Where parents lead in a circle, or deeper than the walk goes, it leaves spans behind."""
    while con.execute("select 1 from nodes anti join walk using (node) limit 1").fetchone():
        for repair in ("depth", "cycles"):
            _run(con, sql_files.folder("repairs")[repair], values)
        _run(con, sql_files.folder("analysis")["walk"], values)


def _class_hosts(con: Connection, _: dict[str, int]) -> None:
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


def _name_witnesses(con: Connection, _: dict[str, int]) -> None:
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
        "witness varchar, identity varchar, service varchar, environment varchar",
        (
            (
                text,
                found.subject,
                services.get(found.subject, services.get(found.identity, found.service)),
                found.environment,
            )
            for text, found in named
        ),
    )


def _judge(con: Connection, _: dict[str, int]) -> None:
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


_PYTHON_STEPS: Final[dict[str, Callable[[Connection, dict[str, int]], None]]] = {
    "issued": _date_issues,
    "touched": _bound_loads,
    "nodes": _tell_copies_apart,
    "walk": _walk_on,
    "hosts_called": _class_hosts,
    "witnesses_seen": _name_witnesses,
    "requests_seen": lambda con, _: rule_requests(con),
    "facts_seen": _judge,
}
"""What Python does after a step; it may add values for the parameters of the steps that follow."""
