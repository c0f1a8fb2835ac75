"""Where answers come from, a file or a running collector, with the same rows from both. Never writes output."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shlex
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, Protocol

from bindtrace.propagation import environment
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.lock import held_by, holder
from bindtrace.queries.query import FOREVER, Query
from bindtrace.queries.report_keys import checked_ids
from bindtrace.queries.window import in_rfc3339

Row = dict[str, Any]

DEFAULT_DB: Final = Path("bindtrace.duckdb")
DEFAULT_URL: Final = "http://127.0.0.1:4319"

LAKE: Final = "ducklake:"
"""How the address of a lake begins, in the place of a collector's."""

TOKEN_FILE_VARIABLE: Final = "BINDTRACE_API_TOKEN_FILE"  # noqa: S105  # the name of a variable
_NEXT: Final = re.compile(r'<(/[^>]*)>; rel="next"')
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_PROBE_S: Final = 1.0
_ANSWER_S: Final = 120.0
_MAX_ANSWER_BYTES: Final = 1 << 29


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
        import duckdb

        from bindtrace.queries.lake.refusals import refused

        try:
            return _reported(self._con, report, query)
        except duckdb.OperationalError as error:
            raise refused(self._catalog, str(error)) from None

    def close(self) -> None:
        self._con.close()

    def describe(self) -> str:
        return self._catalog

    def option(self) -> str:
        return f"--lake {shlex.quote(self._catalog)}"


class LiveSource:
    """A running collector, asked over HTTP."""

    def __init__(self, url: str) -> None:
        """Opens no connection yet. Raises `Refusal` where the URL is not one."""
        self._url = checked_url(url)

    def rows(self, report: str, query: Query) -> list[Row]:
        rows: list[Row] = []
        path: str | None = f"/api/reports/{urllib.parse.quote(report, safe='')}"
        parameters = _parameters(query)
        while path is not None:
            answer, path = self._page(path, parameters)
            if not (isinstance(answer, list) and all(isinstance(row, dict) for row in answer)):
                raise self._stranger("its answer is not a list of rows")
            rows += answer
            parameters = {}
        return rows

    def status(self, timeout_s: float = _ANSWER_S) -> dict[str, Any]:
        """What the collector says of itself. Raises `Refusal` where no collector of bindtrace answers."""
        answer = self._get("/api/status", {}, timeout_s)
        if not (isinstance(answer, dict) and "pid" in answer and "endpoints" in answer):
            raise self._stranger("its status names no process")
        return answer

    def close(self) -> None:
        """Nothing is held between questions."""

    def describe(self) -> str:
        return self._url

    def option(self) -> str:
        return "" if self._url == DEFAULT_URL else f"--url {shlex.quote(self._url)}"

    def _get(self, path: str, parameters: dict[str, str], timeout_s: float = _ANSWER_S) -> Any:
        return self._page(path, parameters, timeout_s)[0]

    def _page(
        self, path: str, parameters: dict[str, str], timeout_s: float = _ANSWER_S
    ) -> tuple[Any, str | None]:
        """The answer, and the path of the next page where there is one."""
        question = f"{self._url}{path}"
        if parameters:
            question += f"?{urllib.parse.urlencode(parameters)}"
        try:
            asked = urllib.request.Request(question, headers=_authorization())  # noqa: S310  # checked_url
            with _opener(self._url).open(asked, timeout=timeout_s) as reply:
                body = reply.read(_MAX_ANSWER_BYTES + 1)
                following = _NEXT.fullmatch(reply.headers.get("link", ""))
        except urllib.error.HTTPError as error:
            with error:
                raise self._answered(error.code, error.read(65536)) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._silent(error) from None
        if len(body) > _MAX_ANSWER_BYTES:
            raise Refusal(f"the answer of {self._url} is too large", fix="narrow it with --since or --limit")
        try:
            return json.loads(body), following and following[1]
        except ValueError:
            raise self._stranger("its answer is not JSON") from None

    def _answered(self, status: int, body: bytes) -> Refusal:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            said = json.loads(body)["error"]
            return Refusal(str(said["message"]), fix=str(said["fix"]))
        return self._stranger(f"it says {status}")

    def _silent(self, error: Exception) -> Refusal:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        timed_out = isinstance(reason, TimeoutError)
        why = "it took too long" if timed_out else getattr(reason, "strerror", None) or str(reason)
        return Refusal(
            f"no answer from {self._url}: {why.lower()}",
            fix="start `bindtrace serve`, or name a running collector with --url or a file with --db",
        )

    def _stranger(self, why: str) -> Refusal:
        return Refusal(
            f"{self._url} answers, but not as a bindtrace collector: {why}",
            fix="name the address that `bindtrace serve` prints as `api`",
        )


def db_option(path: Path) -> str:
    """The option that names a database in a command to copy."""
    return f"--db {shlex.quote(str(path))}"


def _reported(con: Any, report: str, query: Query) -> list[Row]:
    from bindtrace.queries.catalog import run_report
    from bindtrace.queries.lake.place import needing_lake

    try:
        with needing_lake(con):
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
        raise Refusal(f"no database at {path}", fix="start `bindtrace serve`, or name another with --db")
    if not path.is_file() and path.exists():
        raise Refusal(f"{path} is not a file", fix="name the file that `bindtrace serve --db` wrote")
    if not _journal(path).is_dir():
        return
    for drain in entry_points(group="bindtrace.database", name="drain"):
        drain.load()(path)


def checked_url(text: str) -> str:
    """The address without its last slash; `http://` where no scheme is written. Raises `Refusal`."""
    written = (text if "://" in text else f"http://{text}").rstrip("/")
    try:
        parts = urllib.parse.urlsplit(written)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or any(char <= " " for char in written):
        raise Refusal(f"`{text}` is not the address of a collector", fix=f"write it as {DEFAULT_URL}")
    if parts.username is not None:
        raise Refusal("--url takes no user name or password", fix="write it as http://HOST:PORT")
    return written


def _parameters(query: Query) -> dict[str, str]:
    own = {
        "since": in_rfc3339(query.since_unix_nano) if query.since_unix_nano > 0 else None,
        "until": in_rfc3339(query.until_unix_nano) if query.until_unix_nano < FOREVER else None,
        "env": query.environment,
        "limit": None if query.limit is None else str(query.limit),
        "settled": "true" if query.settled else None,
    }
    return {**query.filters, **{key: value for key, value in own.items() if value is not None}}


def _authorization() -> dict[str, str]:
    """The token of the file that `BINDTRACE_API_TOKEN_FILE` names, which `serve` reads too. Raises `Refusal`."""
    path = environment.read(TOKEN_FILE_VARIABLE)
    if path is None:
        return {}
    try:
        lines = Path(path).read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(
            f"cannot read {path}, which {TOKEN_FILE_VARIABLE} names: {error}", fix="name a file with a token"
        ) from None
    written = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not written:
        raise Refusal(f"{path} holds no token", fix="write NAME:TOKEN or the token alone into it")
    return {"authorization": f"Bearer {written[0].rpartition(':')[2].strip()}"}


def _opener(url: str) -> urllib.request.OpenerDirector:
    """A loopback address is never asked through a proxy that the environment names."""
    if urllib.parse.urlsplit(url).hostname in _LOOPBACK:
        return urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener()


def is_there(path: Path) -> bool:
    """Whether a collector wrote there: its database, or a journal of which none was made yet."""
    return path.exists() or _journal(path).is_dir()


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}.journal")
