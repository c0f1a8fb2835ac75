"""The HTTP face of a running collector: status, reports, and waiting for one's own writes. Holds no database."""

from __future__ import annotations

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

from bindtrace.propagation.errors import Refusal
from bindtrace.queries.api.asking import TookTooLongError
from bindtrace.queries.api.page import page_routes
from bindtrace.queries.api.reports import (
    BadParameterError,
    UnknownReportError,
    json_of,
    report_routes,
    single,
)
from bindtrace.queries.catalog import REPORTS
from bindtrace.queries.query import Query

T = TypeVar("T")
Row = dict[str, Any]

RUNS_AT_ONCE: Final = 8
WAITS_AT_ONCE: Final = 64
STATUS_AT_ONCE: Final = 4
"""Threads for questions, for those who wait, and for health: none can starve another."""
LONGEST_WAIT_S: Final = 60.0

_LOG: Final = logging.getLogger(__name__)
_POSITION: Final = re.compile(r"([0-9a-fA-F]{32}):([0-9]{1,19})", re.ASCII)


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
        return json_of(await _in_thread(telling, status))

    async def get_wait(request: Request) -> Response:
        position, timeout_s = _wait_parameters(request)
        visible = await _in_thread(waiting, partial(wait, position, timeout_s))
        answer: dict[str, Any] = {"position": position, "visible": visible}
        if visible:
            return json_of(answer)
        late = _error(
            f"{position} is not visible after {timeout_s:g} s", "ask again; /api/status says how far it is"
        )
        return json_of(answer | late, 504)

    async def get_live(_: Request) -> Response:
        return json_of({"live": True})

    async def get_ready(_: Request) -> Response:
        try:
            ready = (await _in_thread(telling, status)).get("ready", True) is not False
        except Exception:
            _LOG.exception("event=readyz_failed")
            ready = False
        return json_of({"ready": ready}, 200 if ready else 503)

    app = Starlette(
        routes=[
            Route("/api/status", get_status),
            Route("/api/wait", get_wait),
            *report_routes(run, partial(_in_thread, running)),
            Route("/livez", get_live),
            Route("/readyz", get_ready),
            *page_routes(run, partial(_in_thread, running)),
            *(Mount(prefix, other) for prefix, other in (below or {}).items()),
        ],
        exception_handlers={
            ValueError: _on_bad_value,
            Refusal: _on_refusal,
            UnknownReportError: _on_unknown,
            TookTooLongError: _on_late,
            HTTPException: _on_http,
            Exception: _on_fault,
        },
    )
    app.router.redirect_slashes = False  # its redirect would be an answer without our headers
    return app


def _wait_parameters(request: Request) -> tuple[str, float]:
    parameters = single(request)
    position, timeout = parameters.get("position", ""), parameters.get("timeout", "10")
    if not _POSITION.fullmatch(position):
        raise BadParameterError(
            f"`position`: `{position}` is not 32 hexadecimal digits, a colon and an offset"
        )
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", timeout, re.ASCII):
        raise BadParameterError(f"`timeout`: `{timeout}` is not a number of seconds")
    return position.lower(), min(float(timeout), LONGEST_WAIT_S)


async def _in_thread(limiter: anyio.CapacityLimiter, call: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(call, limiter=limiter)


def _error(message: str, fix: str) -> dict[str, Any]:
    return {"error": {"message": message, "fix": fix}}


async def _on_bad_value(_: Request, error: Exception) -> Response:
    return json_of(_error(str(error), "see /api/reports for the reports and their parameters"), 400)


async def _on_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return json_of(_error(error.message, error.fix), 503)


async def _on_unknown(_: Request, error: Exception) -> Response:
    return json_of(_error(f"there is no report `{error}`", f"one of {', '.join(sorted(REPORTS))}"), 404)


async def _on_late(_: Request, error: Exception) -> Response:
    return json_of(_error(str(error), "narrow it with `since`, `until` or `limit`"), 504)


async def _on_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    fix = "use GET" if error.status_code == 405 else "see /api/reports"
    answer = json_of(_error(error.detail, fix), error.status_code)
    answer.headers.update(error.headers or {})
    return answer


async def _on_fault(_: Request, error: Exception) -> Response:
    """Starlette logs and re-raises the fault itself; the asker learns no detail."""
    return json_of(_error("the collector failed on this question", "its log says why"), 500)
