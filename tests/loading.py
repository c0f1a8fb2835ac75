"""Loads recorded traces through the real decoder into a database in memory, and shows what was made of them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import orjson

from bindtrace.collector.journal.record import Request
from bindtrace.collector.otlp.admit import Undecodable, admit
from bindtrace.collector.reading import Piece, read_pieces
from bindtrace.collector.storing import Outcome, store
from bindtrace.queries.catalog import run_report
from bindtrace.queries.query import Query

Con = duckdb.DuckDBPyConnection
Row = dict[str, Any]
Edge = tuple[str | None, str | None]


def load(con: Con, *sources: Path | Mapping[str, Any]) -> Outcome:
    """Stores and analyses each source as one load: a file of OTLP, or one OTLP/JSON document."""
    outcome = Outcome()
    for source in sources:
        one = store(con, read_pieces(str(source)) if isinstance(source, Path) else [_piece(source)])
        outcome.spans += one.spans
        outcome.rejected += one.rejected
        outcome.reasons += one.reasons
    return outcome


def _piece(document: Mapping[str, Any]) -> Piece:
    body = orjson.dumps(document)
    admitted = admit(body, "json")
    assert not isinstance(admitted, Undecodable), admitted
    digest = hashlib.blake2b(body, digest_size=16).digest()
    request = Request(admitted.sender, "file", "json", 1, digest, admitted.spans, admitted.body)
    return Piece(request, admitted.rejected, admitted.message)


def hops(con: Con) -> list[Row]:
    return run_report(con, "hops", Query())


def edges(rows: Iterable[Row], *kinds: str) -> Counter[Edge]:
    """How often each pair of services was seen as one calling the other; entries of chains left out."""
    wanted = kinds or ("call", "message", "database", "external")
    return Counter((row["caller"], row["callee"]) for row in rows if row["caller"] and row["kind"] in wanted)


def paths(con: Con) -> set[tuple[str, ...]]:
    """Every chain from its entry to a leaf, as the services on it."""
    return {tuple(row["signature"]) for row in run_report(con, "chains", Query())}


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())


def retraced(document: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A copy of a document of one trace with its trace id replaced, so that many such share one analysis."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    for resource_spans in copy["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                span["traceId"] = f"{number:032x}"
    return copy


def merged(documents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """All documents as one load."""
    return {"resourceSpans": [one for document in documents for one in document["resourceSpans"]]}


def otlp(spans: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """OTLP/JSON of plain records: `service` (None: a resource without a name), `resource`, and OTLP's own span keys.

    `attributes` of a record and `resource` are plain mappings here.
    """
    return {"resourceSpans": [_resource_spans(dict(record)) for record in spans]}


def _resource_spans(record: dict[str, Any]) -> dict[str, Any]:
    service, resource = record.pop("service", None), dict(record.pop("resource", {}))
    if service is not None:
        resource = {"service.name": service, **resource}
    span = {
        "name": "span",
        "startTimeUnixNano": "1790000000000000000",
        "endTimeUnixNano": "1790000000010000000",
        **record,
        "attributes": _key_values(record.pop("attributes", {})),
    }
    return {"resource": {"attributes": _key_values(resource)}, "scopeSpans": [{"spans": [span]}]}


def _key_values(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _any_value(value)} for key, value in values.items()]


def _any_value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any_value(one) for one in value]}}
    return {"stringValue": str(value)}
