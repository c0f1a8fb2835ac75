"""The routes of Jaeger's API: the legacy JSON that stock Grafana reads, v3, and the deep dependency graph.

Legacy times are microseconds in searches and milliseconds elsewhere; `parse_moment` tells them apart by their size.
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
from starlette.responses import Response
from starlette.routing import Route

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.errors import Refusal
from bindtrace.queries import sql_files
from bindtrace.queries.api.asking import Asked, Asking, TookTooLongError
from bindtrace.queries.api.parameters import NANO, count, json_answer, moment, trace_id, window
from bindtrace.queries.catalog import rows_of
from bindtrace.queries.jaeger.finding import found, matching
from bindtrace.queries.jaeger.summaries import summaries
from bindtrace.queries.jaeger.traces import traces_json
from bindtrace.queries.traceql.syntax import TraceQL
from bindtrace.queries.unsigned import unsigned

TraceJson = Callable[[duckdb.DuckDBPyConnection, UUID], dict[str, Any]]

DEFAULT_TRACES: Final = 20
MAX_TRACES: Final = 1_500  # as Jaeger's UI asks at most
SAMPLE: Final = 200_000
PATHS: Final = 200
WEEK_NANO: Final = 7 * 86400 * NANO
_UNITS: Final = {"ns": 1, "us": 1000, "µs": 1000, "ms": 10**6, "s": NANO, "m": 60 * NANO, "h": 3600 * NANO}


def build_jaeger(asked: Asked, trace_json: TraceJson) -> Starlette:
    """The application below `/jaeger`. `trace_json` gives a stored trace as OTLP JSON, `{}` if unknown."""
    asking = Asking(asked)

    async def rows(name: str, **values: Any) -> list[dict[str, Any]]:
        text = sql_files.folder("jaeger")[name].text
        return await asking.ask(lambda con: rows_of(con.execute(text, unsigned(values))))

    async def get_services(request: Request) -> Response:
        names = [row["service"] for row in await rows("services")]
        return json_answer({"services": names} if "/v3/" in request.url.path else _listed(names))

    async def get_operations(request: Request) -> Response:
        service = request.path_params.get("service") or request.query_params.get("service", "")
        stored = await rows("operations", service=service, sample=SAMPLE)
        kind = request.query_params.get("spanKind", "").lower()
        kept = [row for row in stored if not kind or row["kind"] == kind]
        both = [{"name": row["name"], "spanKind": row["kind"]} for row in kept]
        if "/v3/" in request.url.path:
            return json_answer({"operations": both})
        old = "service" in request.path_params
        return json_answer(_listed(list(dict.fromkeys(row["name"] for row in kept)) if old else both))

    async def get_traces(request: Request) -> Response:
        query, since, until = _legacy(request)
        limit = count(request.query_params, "limit", DEFAULT_TRACES, MAX_TRACES)
        return json_answer(
            _listed(await asking.ask(lambda con: traces_json(con, found(con, query, since, until, limit))))
        )

    async def get_trace(request: Request) -> Response:
        wanted = trace_id(request.path_params["trace_id"])
        stored = await asking.ask(lambda con: traces_json(con, [wanted]))
        return json_answer(_listed(stored)) if stored else _missing(404, "trace not found")

    async def get_dependencies(request: Request) -> Response:
        until = moment(request.query_params, "endTs", now_unix_nano(), now_unix_nano())
        lookback = request.query_params.get("lookback", "")
        since = max(
            0, until - (int(lookback) * 10**6 if re.fullmatch(r"[0-9]{1,15}", lookback) else WEEK_NANO)
        )
        return json_answer(_listed(await rows("dependencies", since=since, until=until)))

    async def get_paths(request: Request) -> Response:
        since, until = window(request.query_params, last_s=7 * 86400)
        values = {
            "since": since,
            "until": until,
            "service": request.query_params.get("service", ""),
            "operation": request.query_params.get("operation") or None,
            "most": PATHS,
        }
        return json_answer(
            {
                "dependencies": [
                    {
                        "path": row["path"],
                        "attributes": [{"key": "exemplar_trace_id", "value": row["trace_id"]}],
                    }
                    for row in await rows("paths", **values)
                ]
            }
        )

    async def get_summaries(request: Request) -> Response:
        query, since, until = _v3(request)
        limit = count(request.query_params, "query.searchDepth", DEFAULT_TRACES, MAX_TRACES)
        listed = await asking.ask(lambda con: summaries(con, found(con, query, since, until, limit)))
        return json_answer({"summaries": listed})

    async def get_v3_trace(request: Request) -> Response:
        wanted = trace_id(request.path_params["trace_id"])
        stored = await asking.ask(lambda con: trace_json(con, wanted))
        if not stored:
            return json_answer({"error": {"httpCode": 404, "message": "trace not found"}}, 404)
        return json_answer({"result": stored})

    app = Starlette(
        routes=[
            Route("/api/services", get_services),
            Route("/api/services/{service:path}/operations", get_operations),
            Route("/api/operations", get_operations),
            Route("/api/traces", get_traces),
            Route("/api/traces/{trace_id}", get_trace),
            Route("/api/dependencies", get_dependencies),
            Route("/analytics/v1/dependencies", get_paths),
            Route("/api/v3/services", get_services),
            Route("/api/v3/operations", get_operations),
            Route("/api/v3/trace-summaries", get_summaries),
            Route("/api/v3/traces/{trace_id}", get_v3_trace),
        ],
        exception_handlers={ValueError: _said(400), TookTooLongError: _said(504), Refusal: _said(503)},
    )
    app.router.redirect_slashes = False
    return app


def _legacy(request: Request) -> tuple[TraceQL, int, int]:
    given = request.query_params
    since, until = window(request.query_params, last_s=2 * 86400)
    query = matching(
        given.get("service"),
        given.get("operation"),
        _tags(given.get("tags"), "tags") | dict(_pairs(given.getlist("tag"))),
        _duration(given.get("minDuration"), "minDuration"),
        _duration(given.get("maxDuration"), "maxDuration"),
    )
    return query, since, until


def _v3(request: Request) -> tuple[TraceQL, int, int]:
    given = request.query_params
    since, until = window(
        request.query_params, last_s=2 * 86400, names=("query.startTimeMin", "query.startTimeMax")
    )
    query = matching(
        given.get("query.serviceName"),
        given.get("query.operationName"),
        _tags(given.get("query.attributes"), "query.attributes"),
        _duration(given.get("query.durationMin"), "query.durationMin"),
        _duration(given.get("query.durationMax"), "query.durationMax"),
    )
    return query, since, until


def _tags(text: str | None, name: str) -> dict[str, str]:
    if not text:
        return {}
    try:
        read = orjson.loads(text)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise ValueError(f"`{name}`: `{text[:100]}` is not a JSON object of strings")
    return {
        key: value if isinstance(value, str) else orjson.dumps(value).decode() for key, value in read.items()
    }


def _pairs(tags: list[str]) -> list[tuple[str, str]]:
    """`tag=key:value`, as Jaeger's older clients write them."""
    return [(key, value) for key, colon, value in (tag.partition(":") for tag in tags) if colon]


def _duration(text: str | None, name: str) -> int | None:
    """Go's durations, `1.2s`. Raises `ValueError`."""
    if not text:
        return None
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)", text)
    if "".join(f"{number}{unit}" for number, unit in parts) != text:
        raise ValueError(f"`{name}`: `{text}` is not a duration, as `100ms` or `1.2s`")
    return int(sum(float(number) * _UNITS[unit] for number, unit in parts))


def _listed(data: list[Any]) -> dict[str, Any]:
    return {"data": data, "errors": None, "limit": 0, "offset": 0, "total": len(data)}


def _missing(status: int, message: str) -> Response:
    answer = {"data": None, "errors": [{"code": status, "msg": message}], "limit": 0, "offset": 0, "total": 0}
    return json_answer(answer, status)


def _said(status: int) -> Callable[[Request, Exception], Response]:
    def say(request: Request, error: Exception) -> Response:
        if "/v3/" in request.url.path:
            return json_answer({"error": {"httpCode": status, "message": str(error)}}, status)
        return _missing(status, str(error))

    return say
