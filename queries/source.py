"""Where answers come from, a file or a running collector, with the same rows from both. Never writes output."""

from __future__ import annotations

import contextlib
import os
import shlex
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, Protocol

from bindtrace.propagation.errors import Refusal
from bindtrace.queries.live_source import DEFAULT_URL, LiveSource
from bindtrace.queries.lock import held_by, holder
from bindtrace.queries.query import Query
from bindtrace.queries.report_keys import checked_ids

Row = dict[str, Any]

DEFAULT_DB: Final = Path("bindtrace.duckdb")
LAKE: Final = "ducklake:"
"""How the address of a lake begins, in the place of a collector's."""

_PROBE_S: Final = 1.0


class Source(Protocol):
    """Answers reports by name."""

    def rows(self, report: str, query: Query) -> list[Row]:
        """The report's rows, JSON-ready. Raises `Refusal`."""

    def close(self) -> None: ...

    def describe(self) -> str:
        """The source as a message names it: the path or the address."""

    def option(self) -> str:
        """The option that names this source in a command to copy; empty where the default finds it."""


class FileSource:
    """A stopped collector's database. What its journal still holds is loaded and analysed first."""

    def __init__(self, path: Path) -> None:
        """Raises `Refusal` where the file is absent, held, or not a database of bindtrace."""
        self._path = path
        ready_file(path)
        # Loaded here: a question to a running collector needs no DuckDB, whose import costs 0.1 s.
        from bindtrace.queries.analyse import analyse
        from bindtrace.queries.database import join_lake, open_database, open_read_only, reader
        from bindtrace.queries.lake.place import needing_lake

        if path.exists() and not os.access(path, os.W_OK):
            self._con = self._reader = open_read_only(path)
            return
        self._con = open_database(path)
        try:
            join_lake(self._con)
            with needing_lake(self._con):
                analyse(self._con)
            self._reader = reader(self._con)
        except BaseException:
            self._con.close()
            raise

    def rows(self, report: str, query: Query) -> list[Row]:
        # what its collector had acknowledged is all in the file, and nothing more will come
        return _reported(self._reader, report, replace(query, settled=True))

    def close(self) -> None:
        self._con.close()

    def describe(self) -> str:
        return str(self._path)

    def option(self) -> str:
        return "" if self._path == DEFAULT_DB else db_option(self._path)


class LakeSource:
    """What collectors sealed into a lake, without any of them."""

    def __init__(self, catalog: str) -> None:
        """Raises `Refusal` where there is no lake, or another process has its catalog."""
        from bindtrace.queries.database import open_lake

        self._catalog = catalog
        self._con = open_lake(catalog)

    def rows(self, report: str, query: Query) -> list[Row]:
        return _reported(self._con, report, query, self._catalog)

    def close(self) -> None:
        self._con.close()

    def describe(self) -> str:
        return self._catalog

    def option(self) -> str:
        return f"--lake {shlex.quote(self._catalog)}"


def db_option(path: Path) -> str:
    """The option that names a database in a command to copy."""
    return f"--db {shlex.quote(str(path))}"


def _reported(con: Any, report: str, query: Query, catalog: str | None = None) -> list[Row]:
    from bindtrace.queries.catalog import run_report
    from bindtrace.queries.lake.place import needing_lake

    try:
        with needing_lake(con, catalog):
            return run_report(con, report, replace(query, filters=checked_ids(query.filters)))
    except ValueError as error:
        raise Refusal(str(error), fix="columns and parameters are given as `-p NAME=VALUE`") from None


def open_source(db: Path | None, url: str | None) -> Source:
    """The file or the collector that is named; with neither, what runs here. Raises `Refusal`.

    Neither: the collector at `DEFAULT_URL`, else the one that holds `DEFAULT_DB`, else that file.
    """
    if url is not None:
        return LakeSource(url) if url.startswith(LAKE) else LiveSource(url)
    if db is not None:
        return FileSource(db)
    with contextlib.suppress(Refusal):
        running = LiveSource(DEFAULT_URL)
        running.status(_PROBE_S)
        return running
    if held := holder(DEFAULT_DB):
        return LiveSource(held.url)
    if not is_there(DEFAULT_DB):
        raise Refusal(
            f"no collector answers at {DEFAULT_URL}, and there is no {DEFAULT_DB} in this folder",
            fix="start `bindtrace serve`, try `bindtrace demo`, or name the data with --db or --url",
        )
    return FileSource(DEFAULT_DB)


def ready_file(path: Path) -> None:
    """Sees to it that a file can be opened and owes nothing. Raises `Refusal` where it is absent or held."""
    if held := holder(path):
        raise held_by(path, held)
    if not is_there(path):
        raise no_database(path)
    if not path.is_file() and path.exists():
        raise Refusal(f"{path} is not a file", fix="name the file that `bindtrace serve --db` wrote")
    if not _journal(path).is_dir():
        return
    for drain in entry_points(group="bindtrace.database", name="drain"):
        drain.load()(path)


def no_database(path: Path) -> Refusal:
    """What is said where a database was named that is not there."""
    return Refusal(f"no database at {path}", fix="start `bindtrace serve`, or name another with --db")


def is_there(path: Path) -> bool:
    """Whether a collector wrote there: its database, or a journal of which none was made yet."""
    return path.exists() or _journal(path).is_dir()


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}.journal")
