"""The routes of the reports: the command line's rows as JSON, CSV or Arrow, by pages, with an ETag."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

import pyarrow as pa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.queries.api.openapi import OWN_PARAMETERS, described
from bindtrace.queries.catalog import REPORTS
from bindtrace.queries.query import FOREVER, Query
from bindtrace.queries.render import csv_text
from bindtrace.queries.report_keys import checked_ids, keys_of
from bindtrace.queries.window import parse_moment

Row = dict[str, Any]
Run = Callable[[str, Query], list[Row]]
InThread = Callable[[Callable[[], Response]], Awaitable[Response]]

MOST_ROWS: Final = 100_000
"""Rows of one answer; the `Link` header leads to the next."""
HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, no-cache",
}
"""Keep a browser from making anything of an answer but data; the same answer need not be sent twice."""


class BadParameterError(ValueError):
    """A query parameter that cannot be read; the text names it and its value."""


class UnknownReportError(Exception):
    """There is no report of that name."""


def report_routes(run: Run, in_thread: InThread) -> list[Route]:
    """`/api/reports`, which describes them (OpenAPI 3.1), and each report below it."""

    async def get_description(_: Request) -> Response:
        return json_of(described())

    async def get_report(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in REPORTS:
            raise UnknownReportError(name)
        parameters = single(request)
        form = _form(parameters.get("format", ""), request.headers.get("accept", ""))
        query, offset = report_query(parameters), _number(parameters, "offset", 10**12) or 0

        def answer() -> Response:
            return _page(request, run, name, query, offset, form)

        # Written in the thread too: the text of many rows would hold up everybody else's requests.
        return await in_thread(answer)

    return [Route("/api/reports", get_description), Route("/api/reports/{name}", get_report)]


def report_query(parameters: Mapping[str, str]) -> Query:
    """The query that URL parameters state. Raises `BadParameterError`."""
    now = now_unix_nano()
    since = _moment(parameters, "since", 0, now)
    until = _moment(parameters, "until", FOREVER, now)
    if since >= until:
        raise BadParameterError("`since` is not before `until`")
    return Query(
        since_unix_nano=since,
        until_unix_nano=until,
        environment=parameters.get("env") or None,
        filters=_filters(parameters),
        limit=_number(parameters, "limit", 10**9) or None,
        settled=parameters.get("settled") == "true",
    )


def single(request: Request) -> dict[str, str]:
    """The parameters, each given once. Raises `BadParameterError`: of two values neither is the one that was meant."""
    pairs = request.query_params.multi_items()
    given = dict(pairs)
    if len(given) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadParameterError(f"`{twice}` is given more than once")
    return given


def json_of(value: Any, status: int = 200) -> Response:
    text = json.dumps(value, separators=(",", ":")) + "\n"
    return Response(text, status, headers=HEADERS, media_type="application/json")


def _page(request: Request, run: Run, name: str, query: Query, offset: int, form: str) -> Response:
    most = min(query.limit or MOST_ROWS, MOST_ROWS)
    if REPORTS[name].paged:
        rows = run(name, replace(query, limit=offset + most + 1))[offset:]
    else:
        rows, most = run(name, query), FOREVER
    media_type, write = FORMS[form]
    body = write(rows[:most], keys_of(name))
    headers = HEADERS | {"etag": f'"{hashlib.sha256(body).hexdigest()[:32]}"'}
    if len(rows) > most and most < (query.limit or FOREVER):
        left = {"limit": str(query.limit - most)} if query.limit else {}
        later = dict(request.query_params) | {"offset": str(offset + most)} | left
        headers["link"] = f'<{request.url.path}?{urlencode(later)}>; rel="next"'
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(None, 304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


def _json_rows(rows: Sequence[Row], _: Sequence[str]) -> bytes:
    return (json.dumps(rows, separators=(",", ":")) + "\n").encode()


def _csv_rows(rows: Sequence[Row], keys: Sequence[str]) -> bytes:
    return csv_text(rows, keys).encode()


def _arrow_rows(rows: Sequence[Row], keys: Sequence[str]) -> bytes:
    """An Arrow IPC stream; a column without any value is text."""
    names = keys or tuple(rows[0]) if rows else keys
    columns = {name: pa.array([row.get(name) for row in rows]) for name in names}
    table = pa.table(
        {
            name: column.cast(pa.string()) if pa.types.is_null(column.type) else column
            for name, column in columns.items()
        }
    )
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


FORMS: Final[Mapping[str, tuple[str, Callable[[Sequence[Row], Sequence[str]], bytes]]]] = {
    "json": ("application/json", _json_rows),
    "csv": ("text/csv; charset=utf-8", _csv_rows),
    "arrow": ("application/vnd.apache.arrow.stream", _arrow_rows),
}


def _form(asked: str, accept: str) -> str:
    if asked:
        if asked not in FORMS:
            raise BadParameterError(f"`format`: `{asked}` is not one of {', '.join(FORMS)}")
        return asked
    return next((form for form, (media, _) in FORMS.items() if media.partition(";")[0] in accept), "json")


def _moment(parameters: Mapping[str, str], name: str, default: int, now: int) -> int:
    if not (text := parameters.get(name)):
        return default
    try:
        return parse_moment(text, now)
    except ValueError as error:
        raise BadParameterError(f"`{name}`: {error}") from None


def _filters(parameters: Mapping[str, str]) -> dict[str, str]:
    try:
        return checked_ids({key: value for key, value in parameters.items() if key not in OWN_PARAMETERS})
    except ValueError as error:
        raise BadParameterError(str(error)) from None


def _number(parameters: Mapping[str, str], name: str, most: int) -> int | None:
    text = parameters.get(name)
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) or int(text) > most:
        raise BadParameterError(f"`{name}`: `{text}` is not a number of rows")
    return int(text)
