"""The HTTP face of a running collector: status, reports, and waiting for one's own writes. Holds no database."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.errors import Refusal
from bindtrace.queries import sql_files
from bindtrace.queries.catalog import REPORTS
from bindtrace.queries.query import FOREVER, Query
from bindtrace.queries.report_keys import checked_ids
from bindtrace.queries.window import parse_moment

T = TypeVar("T")
Row = dict[str, Any]

RUNS_AT_ONCE: Final = 8
WAITS_AT_ONCE: Final = 64
STATUS_AT_ONCE: Final = 4
"""Threads for questions, for those who wait, and for health: none can starve another."""
LONGEST_WAIT_S: Final = 60.0

_LOG: Final = logging.getLogger(__name__)
_POSITION: Final = re.compile(r"([0-9a-fA-F]{32}):([0-9]{1,19})", re.ASCII)
_OWN_PARAMETERS: Final = ("since", "until", "env", "limit")
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Keep a browser from making anything of an answer but data."""


class BadParameterError(ValueError):
    """A query parameter that cannot be read; the text names it and its value."""


def build(
    run: Callable[[str, Query], list[Row]],
    status: Callable[[], dict[str, Any]],
    wait: Callable[[str, float], bool],
    below: Mapping[str, ASGIApp] | None = None,
) -> Starlette:
    """The application. The three functions block and are called in threads.

    `run(report, query)` gives rows, raises `ValueError` for a filter that the report has not; `status()` is JSON-ready,
    and `"ready": False` in it means that questions cannot be answered yet; `wait(position, timeout_s)` returns
    whether the position (`<hex32>:<offset>`) became visible in time. `below`: other applications by path prefix.
    """
    running, waiting, telling = map(anyio.CapacityLimiter, (RUNS_AT_ONCE, WAITS_AT_ONCE, STATUS_AT_ONCE))

    async def get_status(_: Request) -> Response:
        return _json(await _in_thread(telling, status))

    async def get_wait(request: Request) -> Response:
        position, timeout_s = _wait_parameters(request)
        visible = await _in_thread(waiting, partial(wait, position, timeout_s))
        answer: dict[str, Any] = {"position": position, "visible": visible}
        if visible:
            return _json(answer)
        late = _error(
            f"{position} is not visible after {timeout_s:g} s", "ask again; /api/status says how far it is"
        )
        return _json(answer | late, 504)

    async def get_reports(_: Request) -> Response:
        return _json([listed(name) for name in sorted(REPORTS)])

    async def get_report(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in REPORTS:
            return _json(_error(f"there is no report `{name}`", f"one of {', '.join(sorted(REPORTS))}"), 404)
        query = report_query(_single(request))
        # Written in the thread too: the JSON of many rows would hold up everybody else's requests.
        return await _in_thread(running, lambda: _json(run(name, query)))

    async def get_live(_: Request) -> Response:
        return _json({"live": True})

    async def get_ready(_: Request) -> Response:
        try:
            ready = (await _in_thread(telling, status)).get("ready", True) is not False
        except Exception:
            _LOG.exception("event=readyz_failed")
            ready = False
        return _json({"ready": ready}, 200 if ready else 503)

    app = Starlette(
        routes=[
            Route("/api/status", get_status),
            Route("/api/wait", get_wait),
            Route("/api/reports", get_reports),
            Route("/api/reports/{name}", get_report),
            Route("/livez", get_live),
            Route("/readyz", get_ready),
            *(Mount(prefix, other) for prefix, other in (below or {}).items()),
        ],
        exception_handlers={
            ValueError: _on_bad_value,
            Refusal: _on_refusal,
            HTTPException: _on_http,
            Exception: _on_fault,
        },
    )
    app.router.redirect_slashes = False  # its redirect would be an answer without our headers
    return app


def listed(name: str) -> dict[str, Any]:
    """A report as `/api/reports` lists it, with the parameters that it takes besides filters on its columns."""
    file = sql_files.folder("reports").get(name)
    declared = file.header.get("parameters", "") if file else ""
    needed = [
        word
        for part in declared.split(",")
        if (word := part.strip()) and word not in ("since", "until", "environment")
    ]
    return {
        "name": name,
        "title": REPORTS[name].title,
        "parameters": list(_OWN_PARAMETERS),
        "required": needed,
    }


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
        limit=_limit(parameters.get("limit")),
    )


def _moment(parameters: Mapping[str, str], name: str, default: int, now: int) -> int:
    if not (text := parameters.get(name)):
        return default
    try:
        return parse_moment(text, now)
    except ValueError as error:
        raise BadParameterError(f"`{name}`: {error}") from None


def _filters(parameters: Mapping[str, str]) -> dict[str, str]:
    try:
        return checked_ids({key: value for key, value in parameters.items() if key not in _OWN_PARAMETERS})
    except ValueError as error:
        raise BadParameterError(str(error)) from None


def _limit(text: str | None) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        raise BadParameterError(f"`limit`: `{text}` is not a number of rows")
    return int(text) or None


def _wait_parameters(request: Request) -> tuple[str, float]:
    parameters = _single(request)
    position, timeout = parameters.get("position", ""), parameters.get("timeout", "10")
    if not _POSITION.fullmatch(position):
        raise BadParameterError(
            f"`position`: `{position}` is not 32 hexadecimal digits, a colon and an offset"
        )
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", timeout, re.ASCII):
        raise BadParameterError(f"`timeout`: `{timeout}` is not a number of seconds")
    return position.lower(), min(float(timeout), LONGEST_WAIT_S)


def _single(request: Request) -> dict[str, str]:
    """The parameters, each given once. Raises `BadParameterError`: of two values neither is the one that was meant."""
    pairs = request.query_params.multi_items()
    single = dict(pairs)
    if len(single) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadParameterError(f"`{twice}` is given more than once")
    return single


async def _in_thread(limiter: anyio.CapacityLimiter, call: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(call, limiter=limiter)


def _json(value: Any, status: int = 200) -> Response:
    text = json.dumps(value, separators=(",", ":")) + "\n"
    return Response(text, status, headers=_HEADERS, media_type="application/json")


def _error(message: str, fix: str) -> dict[str, Any]:
    return {"error": {"message": message, "fix": fix}}


async def _on_bad_value(_: Request, error: Exception) -> Response:
    return _json(_error(str(error), "see /api/reports for the reports and their parameters"), 400)


async def _on_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _json(_error(error.message, error.fix), 503)


async def _on_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    fix = "use GET" if error.status_code == 405 else "see /api/reports"
    answer = _json(_error(error.detail, fix), error.status_code)
    answer.headers.update(error.headers or {})
    return answer


async def _on_fault(_: Request, error: Exception) -> Response:
    """Starlette logs and re-raises the fault itself; the asker learns no detail."""
    return _json(_error("the collector failed on this question", "its log says why"), 500)
