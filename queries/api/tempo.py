"""The routes of the Tempo API, as Grafana's data source calls them. Reads parameters; `queries/tempo` answers.

source: read-apis 3.1: unknown JSON fields fail a strict decoder, and a trace by id is protobuf with field 1 present.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import duckdb
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bindtrace.propagation.errors import Refusal
from bindtrace.queries.api.asking import Asked, Asking, TookTooLongError
from bindtrace.queries.api.parameters import (
    HEADERS,
    NANO,
    count,
    json_answer,
    length,
    text_answer,
    trace_id,
    window,
)
from bindtrace.queries.tempo.metrics import query_instant, query_range
from bindtrace.queries.tempo.search import search
from bindtrace.queries.tempo.tags import tag_values, tags

TraceBytes = Callable[[duckdb.DuckDBPyConnection, UUID], bytes]

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 5_000
DEFAULT_SPANS: Final = 3
MAX_SPANS: Final = 1_000
POINTS: Final = 120
"""Intervals of a metrics query that names no step."""


def build_tempo(asked: Asked, trace_bytes: TraceBytes) -> Starlette:
    """The application below `/tempo`. `trace_bytes` gives a stored trace as `TracesData`, empty if unknown."""
    asking = Asking(asked)

    async def get_search(request: Request) -> Response:
        given = request.query_params
        since, until = window(given)
        text, limit = given.get("q", "{}"), count(given, "limit", DEFAULT_LIMIT, MAX_LIMIT)
        spans = count(given, "spss", DEFAULT_SPANS, MAX_SPANS)
        return json_answer(await asking.ask(lambda con: search(con, text, since, until, limit, spans)))

    async def get_tags(request: Request) -> Response:
        given = request.query_params
        since, until = window(given)
        found = await asking.ask(lambda con: tags(con, since, until))
        wanted = given.get("scope", "")
        scopes = {
            scope: names
            for scope, names in found.items()
            if wanted in ("", "none", scope) and (names or wanted)
        }
        if request.url.path.endswith("/v2/search/tags"):
            listed = [{"name": scope, "tags": names} for scope, names in scopes.items()]
            return json_answer({"scopes": listed, "metrics": {}})
        names = sorted({name for scope, names in scopes.items() if scope != "intrinsic" for name in names})
        return json_answer({"tagNames": names, "metrics": {}})

    async def get_values(request: Request) -> Response:
        given = request.query_params
        since, until = window(given)
        tag, text = request.path_params["tag"], given.get("q", "")
        limit = count(given, "limit", MAX_LIMIT, MAX_LIMIT)
        old = "/v2/" not in request.url.path
        # v1 names a tag without its scope
        named = f".{tag}" if old and "." in tag and not tag.startswith(("span.", "resource.", ".")) else tag
        values = await asking.ask(lambda con: tag_values(con, named, text, since, until, limit))
        shown: list[Any] = [value["value"] for value in values] if old else values
        return json_answer({"tagValues": shown, "metrics": {}})

    async def get_trace(request: Request) -> Response:
        wanted = trace_id(request.path_params["trace_id"])
        found = await asking.ask(lambda con: trace_bytes(con, wanted))
        if "/v2/" in request.url.path:
            # message TraceByIDResponse {1: trace}; an unknown trace is an empty one, which Grafana words best
            return _protobuf(b"\x0a" + _varint(len(found)) + found)
        return _protobuf(found) if found else text_answer("trace not found", 404)

    async def get_range(request: Request) -> Response:
        given = request.query_params
        since, until = window(given, last_s=3600)
        step = length(given, "step", max(NANO, (until - since) // POINTS // NANO * NANO))
        exemplars = count(given, "exemplars", 0, 1000)
        text = given.get("q", "")
        return json_answer(
            await asking.ask(lambda con: query_range(con, text, since, until, step, exemplars))
        )

    async def get_instant(request: Request) -> Response:
        given = request.query_params
        since, until = window(given, last_s=3600)
        text = given.get("q", "")
        return json_answer(await asking.ask(lambda con: query_instant(con, text, since, until)))

    async def get_echo(_: Request) -> Response:
        return text_answer("echo")

    async def get_ready(_: Request) -> Response:
        return text_answer("ready")

    app = Starlette(
        routes=[
            Route("/api/echo", get_echo),
            Route("/ready", get_ready),
            Route("/api/search", get_search),
            Route("/api/search/tags", get_tags),
            Route("/api/v2/search/tags", get_tags),
            Route("/api/search/tag/{tag:path}/values", get_values),
            Route("/api/v2/search/tag/{tag:path}/values", get_values),
            Route("/api/traces/{trace_id}", get_trace),
            Route("/api/v2/traces/{trace_id}", get_trace),
            Route("/api/metrics/query_range", get_range),
            Route("/api/metrics/query", get_instant),
        ],
        exception_handlers={
            ValueError: _said(400),
            TookTooLongError: _said(504),
            Refusal: _said(503),
        },
    )
    app.router.redirect_slashes = False
    return app


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _protobuf(body: bytes) -> Response:
    return Response(body, media_type="application/protobuf", headers=HEADERS)


def _said(status: int) -> Callable[[Request, Exception], Response]:
    return lambda _, error: text_answer(str(error), status)
