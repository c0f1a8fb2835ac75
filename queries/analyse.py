"""Turns stored spans into judged hops, trace by trace and set-wise: which loads are due, in what transactions.

One code path serves the incremental run and the rebuild; its steps are the SQL files of `analysis/`. A large run is
done in shares of its traces, one a core: DuckDB keeps a second core busy for a third of a run's time, and at 1.3 times
the CPU (1.5.5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, NamedTuple

import duckdb

from bindtrace.queries.analysis_steps import Values, drop_steps, run_steps, touched_traces
from bindtrace.queries.database import cursor
from bindtrace.queries.policy import policy_digest
from bindtrace.queries.transaction import transaction
from bindtrace.queries.unsigned import unsigned

Connection = duckdb.DuckDBPyConnection

SPANS_AT_ONCE: Final = 500_000
"""Spans of one run, which bounds its memory; a run takes whole loads, and at least one."""
MOST_SHARES: Final = 4
NOTED: Final = ("issued", "retired", "linked")
"""What a run notes of its loads as a whole, before its traces are shared out. Noted again, it is the same."""
STORED: Final = ("remove", "store", "remember")
"""What changes hops: of one share, or with the watermark, it is one transaction."""


class Shares(NamedTuple):
    """How many threads do a run of at least so many spans: each costs 0.2 s of planning its statements."""

    threads: int = 1
    least: int = 50_000


ALONE: Final = Shares()


class Due(NamedTuple):
    """The loads of a run, how many spans they have at most, and the policy in force."""

    after: int
    upto: int
    spans: int
    policy: str


def analyse(
    con: Connection,
    spans_at_once: int = SPANS_AT_ONCE,
    runs: int | None = None,
    on_run: Callable[[int], object] = lambda _: None,
    shares: Shares = ALONE,
    *,
    before_storing: Callable[[], object] = lambda: None,
    keep_steps: bool = False,
) -> int:
    """Brings the hops up to date with the spans; returns how many traces were done.

    Handles the traces touched by loads newer than the watermark, or all of them where the policy that the stored
    hops were judged by is no longer in force. Each run moves the watermark in its last transaction: what a crash
    leaves half-done the next run does again. With `runs` it returns after so many, whatever was loaded meanwhile.
    `on_run` is told the load up to which all is done. Where runs are not shared, `before_storing` is called when one
    has only to write what it worked out, and with `keep_steps` its tables stay, to be looked at. `shares`: see `cores`.
    """
    done = 0
    while runs != 0 and (due := _due(con, spans_at_once)) is not None:
        shared = shares.threads > 1 and due.spans >= shares.least
        done += (
            _shared_run(con, due, shares.threads)
            if shared
            else _one_run(con, due, before_storing, keep_steps)
        )
        runs = None if runs is None else runs - 1
        on_run(due.upto)
    return done


def cores(con: Connection) -> Shares:
    """Shares that keep this machine busy, for those who have it to themselves."""
    return Shares(min(MOST_SHARES, _threads(con)))


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
    con: Connection,
    spans_at_once: int = SPANS_AT_ONCE,
    on_run: Callable[[int], object] = lambda _: None,
    shares: Shares = ALONE,
    *,
    keep_steps: bool = False,
) -> int:
    """Computes every hop anew from the spans; the result equals what the incremental runs had stored."""
    with transaction(con):
        for table in ("analysis", "hops", "traces"):
            con.execute(f"delete from {table}")
    return analyse(con, spans_at_once, on_run=on_run, shares=shares, keep_steps=keep_steps)


def _due(con: Connection, spans_at_once: int) -> Due | None:
    """None when all is done."""
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
        return Due(after, newest, waiting, policy)
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
    return Due(after, upto, spans_at_once, policy)


def _one_run(con: Connection, due: Due, before_storing: Callable[[], object], keep_steps: bool) -> int:
    values = _loads(due)
    with transaction(con):
        run_steps(con, values, only=NOTED)
    touched = _worked_out(con, values, keep_steps)
    before_storing()
    with transaction(con):
        run_steps(con, values, only=STORED, keep_steps=keep_steps)
        _remember(con, due)
    return touched


def _shared_run(con: Connection, due: Due, shares: int) -> int:
    values = _loads(due)
    with transaction(con):
        run_steps(con, values, only=NOTED)
    with _threads_for_each(con, shares), ThreadPoolExecutor(shares) as pool:
        done = pool.map(
            lambda share: _one_share(con, values | {"share": share, "shares": shares}), range(shares)
        )
        touched = sum(done)
    with transaction(con):
        _remember(con, due)
    return touched


def _one_share(con: Connection, values: Values) -> int:
    own = cursor(con)
    try:
        touched = _worked_out(own, values, keep_steps=False)
        with transaction(own):
            run_steps(own, values, only=STORED)
        return touched
    finally:
        own.close()


def _worked_out(con: Connection, values: Values, keep_steps: bool) -> int:
    """Everything between notes and hops, in tables of this connection alone; returns how many traces there are.

    Each step commits: in the transaction that made a table DuckDB 1.5.5 takes it for empty, and hashes the larger side
    of a join (a fifth of the CPU of a run). Nobody sees these tables, and what was loaded meanwhile is another run's.
    Spans are named by `rowid` in them: a `checkpoint` after deletions numbers rows anew, so it waits for the run, or is
    made so that no row moves (`collector/store/checkpoints.py`); the automatic one of a commit does not.
    """
    try:
        run_steps(con, values, but=(*NOTED, *STORED), keep_steps=keep_steps)
    except duckdb.Error:
        drop_steps(con)
        raise
    return touched_traces(con)


def _loads(due: Due) -> Values:
    return {"after": due.after, "upto": due.upto}


def _remember(con: Connection, due: Due) -> None:
    con.execute("delete from analysis")
    con.execute("insert into analysis values (?, ?)", [due.upto, due.policy])


def _threads(con: Connection) -> int:
    (threads,) = con.execute("select current_setting('threads')").fetchone() or (1,)
    return int(threads)


@contextmanager
def _threads_for_each(con: Connection, shares: int) -> Iterator[None]:
    """DuckDB's own threads come on top of those that call it."""
    threads = _threads(con)
    con.execute(f"set threads = {max(1, threads // shares)}")
    try:
        yield
    finally:
        con.execute(f"set threads = {threads}")
