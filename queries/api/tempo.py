"""The routes of the Tempo API, as Grafana's data source calls them. Reads parameters; `queries/tempo` answers.

source: read-apis 3.1: unknown JSON fields fail a strict decoder, and a trace by id is protobuf with field 1 present.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import duckdb
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.api.asking import Asked, Asking, TookTooLongError
from bindtrace.queries.query import FOREVER
from bindtrace.queries.tempo.metrics import query_instant, query_range
from bindtrace.queries.tempo.search import search
from bindtrace.queries.tempo.tags import tag_values, tags
from bindtrace.queries.window import parse_length, parse_moment

TraceBytes = Callable[[duckdb.DuckDBPyConnection, UUID], bytes]

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 5_000
DEFAULT_SPANS: Final = 3
MAX_SPANS: Final = 1_000
POINTS: Final = 120
"""Intervals of a metrics query that names no step."""
NANO: Final = 10**9


def build_tempo(asked: Asked, trace_bytes: TraceBytes) -> Starlette:
    """The application below `/tempo`. `trace_bytes` gives a stored trace as `TracesData`, empty if unknown."""
    asking = Asking(asked)

    async def get_search(request: Request) -> Response:
        since, until = _window(request)
        text, limit = request.query_params.get("q", "{}"), _count(request, "limit", DEFAULT_LIMIT, MAX_LIMIT)
        spans = _count(request, "spss", DEFAULT_SPANS, MAX_SPANS)
        return _json(await asking.ask(lambda con: search(con, text, since, until, limit, spans)))

    async def get_tags(request: Request) -> Response:
        since, until = _window(request)
        found = await asking.ask(lambda con: tags(con, since, until))
        wanted = request.query_params.get("scope", "")
        scopes = {
            scope: names
            for scope, names in found.items()
            if wanted in ("", "none", scope) and (names or wanted)
        }
        if request.url.path.endswith("/v2/search/tags"):
            listed = [{"name": scope, "tags": names} for scope, names in scopes.items()]
            return _json({"scopes": listed, "metrics": {}})
        names = sorted({name for scope, names in scopes.items() if scope != "intrinsic" for name in names})
        return _json({"tagNames": names, "metrics": {}})

    async def get_values(request: Request) -> Response:
        since, until = _window(request)
        tag, text = request.path_params["tag"], request.query_params.get("q", "")
        limit = _count(request, "limit", MAX_LIMIT, MAX_LIMIT)
        old = "/v2/" not in request.url.path
        # v1 names a tag without its scope
        named = f".{tag}" if old and "." in tag and not tag.startswith(("span.", "resource.", ".")) else tag
        values = await asking.ask(lambda con: tag_values(con, named, text, since, until, limit))
        shown: list[Any] = [value["value"] for value in values] if old else values
        return _json({"tagValues": shown, "metrics": {}})

    async def get_trace(request: Request) -> Response:
        trace_id = _trace_id(request.path_params["trace_id"])
        found = await asking.ask(lambda con: trace_bytes(con, trace_id))
        if "/v2/" in request.url.path:
            # message TraceByIDResponse {1: trace}; an unknown trace is an empty one, which Grafana words best
            return _protobuf(b"\x0a" + _varint(len(found)) + found)
        return _protobuf(found) if found else _text("trace not found", 404)

    async def get_range(request: Request) -> Response:
        since, until = _window(request, last_s=3600)
        step = _step(request, until - since)
        exemplars = _count(request, "exemplars", 0, 1000)
        text = request.query_params.get("q", "")
        return _json(await asking.ask(lambda con: query_range(con, text, since, until, step, exemplars)))

    async def get_instant(request: Request) -> Response:
        since, until = _window(request, last_s=3600)
        text = request.query_params.get("q", "")
        return _json(await asking.ask(lambda con: query_instant(con, text, since, until)))

    async def get_echo(_: Request) -> Response:
        return _text("echo")

    async def get_ready(_: Request) -> Response:
        return _text("ready")

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


def _window(request: Request, last_s: int | None = None) -> tuple[int, int]:
    """`start` and `end` as Unix nanoseconds; without them everything, or the last `last_s`. Raises `ValueError`."""
    now = now_unix_nano()
    until = _moment(request, "end", FOREVER if last_s is None else now, now)
    since = _moment(request, "start", 0 if last_s is None else until - last_s * NANO, now)
    if since > until:
        raise ValueError("`start` is after `end`")
    return since, max(until, since + 1)


def _moment(request: Request, name: str, default: int, now: int) -> int:
    text = request.query_params.get(name)
    try:
        return parse_moment(text, now) if text and text != "0" else default
    except ValueError as error:
        raise ValueError(f"`{name}`: {error}") from None


def _step(request: Request, length: int) -> int:
    text = request.query_params.get("step")
    if not text:
        return max(NANO, length // POINTS // NANO * NANO)
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text, re.ASCII):
        return max(1, int(float(text) * NANO))
    try:
        return parse_length(text)
    except ValueError as error:
        raise ValueError(f"`step`: {error}") from None


def _count(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name)
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        raise ValueError(f"`{name}`: `{text}` is not a number")
    return min(int(text), most) or default


def _trace_id(text: str) -> UUID:
    if not re.fullmatch(r"[0-9a-fA-F]{1,32}", text, re.ASCII):
        raise ValueError(f"`{text}` is not a trace id: at most 32 hexadecimal digits")
    return UUID(hex=text.zfill(32))


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


_HEADERS: Final = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json", headers=_HEADERS)


def _protobuf(body: bytes) -> Response:
    return Response(body, media_type="application/protobuf", headers=_HEADERS)


def _text(text: str, status: int = 200) -> Response:
    return PlainTextResponse(text, status, headers=_HEADERS)


def _said(status: int) -> Callable[[Request, Exception], Response]:
    return lambda _, error: _text(str(error), status)
