"""A stopped collector's telemetry as OTLP JSON lines or as Parquet files. Never changes the database."""

from __future__ import annotations

import contextlib
import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import duckdb

from bindtrace.collector.otlp.readback import otlp_json, read_requests
from bindtrace.propagation.errors import Refusal

OnSpans = Callable[[int], None]

STDOUT: Final = Path("-")

_WINDOW: Final = "start_time_unix_nano >= $since and start_time_unix_nano < $until"
TABLES: Final = {
    "spans": f"select * from spans where {_WINDOW}",
    "resources": (
        "select * from resources semi join "
        f"(select resource_id from spans where {_WINDOW}) as wanted using (resource_id)"
    ),
    "instrumentation_scopes": (
        "select * from instrumentation_scopes semi join "
        f"(select instrumentation_scope_id from spans where {_WINDOW}) as wanted using (instrumentation_scope_id)"
    ),
    "hops": f"select * from hops where {_WINDOW}",
}
"""What a Parquet export holds, one file each."""


def write_otlp(
    con: duckdb.DuckDBPyConnection, file: Path, since: int, until: int, on_spans: OnSpans = lambda _: None
) -> int:
    """Writes a request a line, gzipped where the name ends in `.gz`, to `STDOUT` too; returns how many spans.

    `since`, `until`: Unix nanoseconds of a span's beginning. Raises `Refusal` where the file cannot be written.
    """
    spans = 0
    try:
        with _opened(file) as lines:
            where = "start_time_unix_nano >= ? and start_time_unix_nano < ?"
            for request in read_requests(con, where, [since, until]):
                lines.write(json.dumps(otlp_json(request), separators=(",", ":")) + "\n")
                count = sum(len(scope.spans) for each in request.resource_spans for scope in each.scope_spans)
                spans += count
                on_spans(count)
    except OSError as error:
        if file == STDOUT:  # the command says what became of its own output
            raise
        raise _unwritable(file, error) from error
    return spans


def write_parquet(con: duckdb.DuckDBPyConnection, folder: Path, since: int, until: int) -> dict[str, int]:
    """Writes `TABLES` as zstd-compressed Parquet into a folder; returns the rows of each. Raises `Refusal`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    rows = {}
    for name, text in TABLES.items():
        target = str(folder / f"{name}.parquet").replace("'", "''")
        try:
            done = con.execute(
                f"copy ({text}) to '{target}' (format parquet, compression zstd)",
                {"since": since, "until": until},
            ).fetchone()
        except duckdb.IOException as error:
            raise Refusal(
                f"cannot write {folder / name}.parquet: {str(error).splitlines()[0]}",
                fix="name a folder that can be written, with room for the data",
            ) from None
        rows[name] = int(done[0]) if done else 0
    return rows


def _opened(file: Path) -> contextlib.AbstractContextManager[IO[str]]:
    if file == STDOUT:
        return contextlib.nullcontext(sys.stdout)
    if file.suffix == ".gz":
        return gzip.open(file, "wt", encoding="utf-8", compresslevel=6)
    return file.open("w", encoding="utf-8")


def _unwritable(path: Path, error: OSError) -> Refusal:
    return Refusal(f"cannot write {path}: {error.strerror or error}", fix="name a place that can be written")
