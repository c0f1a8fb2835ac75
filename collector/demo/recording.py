"""A database's spans as OTLP JSON lines, which `bindtrace check` and others read. Never changes the database."""

from __future__ import annotations

import json
from pathlib import Path

from bindtrace.collector.otlp.readback import otlp_json, read_requests
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.database import open_database
from bindtrace.queries.source import ready_file


def write_recording(db: Path, file: Path, since_unix_nano: int) -> int:
    """Writes the spans that began at or after `since_unix_nano`, a request a line; returns how many spans.

    The database's collector must have stopped. Raises `Refusal` where the file cannot be written.
    """
    ready_file(db)
    con = open_database(db)
    spans = 0
    try:
        with file.open("w", encoding="utf-8") as lines:
            for request in read_requests(con, "start_time_unix_nano >= ?", [since_unix_nano]):
                lines.write(json.dumps(otlp_json(request), separators=(",", ":")) + "\n")
                spans += sum(
                    len(scope.spans) for each in request.resource_spans for scope in each.scope_spans
                )
    except OSError as error:
        raise Refusal(
            f"cannot write {file}: {error.strerror}", fix="name a writable file with --record"
        ) from error
    finally:
        con.close()
    return spans
