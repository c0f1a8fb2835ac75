"""A database's spans as OTLP JSON lines, which `bindtrace check` and others read. Never changes the database."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

from google.protobuf.json_format import MessageToDict

from bindtrace.collector.otlp.readback import read_requests
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.database import open_database
from bindtrace.queries.source import ready_file

_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})


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
                document = MessageToDict(request, use_integers_for_enums=True)
                lines.write(json.dumps(_hex_ids(document), separators=(",", ":")) + "\n")
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


def _hex_ids(value: Any) -> Any:
    """OTLP/JSON writes ids in hex where protobuf's own JSON has base64 (OTLP specification, JSON encoding)."""
    match value:
        case dict():
            return {
                key: base64.b64decode(item).hex() if key in _IDS else _hex_ids(item)
                for key, item in value.items()
            }
        case list():
            return [_hex_ids(item) for item in value]
        case _:
            return value
