"""The routes of Prometheus' HTTP API, as Grafana's data source calls them: GET, or POST with a form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl

import duckdb
from starlette.applications import Starlette
from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.api.asking import Asked, Asking, TookTooLongError
from bindtrace.queries.api.parameters import NANO, Given, count, json_answer, moment, seconds_or_length
from bindtrace.queries.prometheus.answers import instant, ranged
from bindtrace.queries.prometheus.evaluate import Evaluation, UnsupportedError, parse, selector_of
from bindtrace.queries.prometheus.metrics import METRICS, SERIES
from bindtrace.queries.prometheus.series import Gauges, Grid, PromQLError, Vector, at_moments, over_range

MOST_POINTS: Final = 11_000  # as Prometheus
MOST_BYTES: Final = 1024 * 1024
MOST_SERIES: Final = 100_000
HOUR_NANO: Final = 3600 * NANO


def build_prometheus(asked: Asked, gauges: Gauges) -> Starlette:
    """The application below `/prometheus`. `gauges` says what is true now and is called in a thread."""
    asking = Asking(asked)

    async def query(request: Request) -> Response:
        given, now = await _given(request), now_unix_nano()
        grid = Grid(_moment(given, "time", now, now), NANO, 1, now)
        expression = parse(_one(given, "query"))
        found = await asking.ask(lambda con: Evaluation(con, grid, gauges).of(expression))
        return _success(instant(found, grid))

    async def query_range(request: Request) -> Response:
        given = await _given(request)
        grid = _grid(given)
        expression = parse(_one(given, "query"))
        found = await asking.ask(lambda con: Evaluation(con, grid, gauges).of(expression))
        return _success(ranged(found, grid))

    async def series(request: Request) -> Response:
        given = await _given(request)
        grid, selectors = _whole(given), given.getlist("match[]")
        found = await asking.ask(
            lambda con: [labels for text in selectors for labels in _series(con, text, grid, gauges)]
        )
        return _success([dict(labels) for labels in dict.fromkeys(found)][: _limit(given)])

    async def labels(request: Request) -> Response:
        await _given(request)
        names = {"__name__", "le"} | {label for metric in METRICS for label in metric.labels}
        return _success(sorted(names))

    async def label_values(request: Request) -> Response:
        given, label = await _given(request), request.path_params["label"]
        if label == "__name__":
            return _success(sorted(SERIES)[: _limit(given)])
        grid = _whole(given)
        selectors = given.getlist("match[]") or [
            name for name, (metric, part) in SERIES.items() if label in metric.labels and part != "bucket"
        ]
        found = await asking.ask(
            lambda con: {
                dict(one).get(label) for text in selectors for one in _series(con, text, grid, gauges)
            }
        )
        return _success(sorted(value for value in found if value)[: _limit(given)])

    async def metadata(_: Request) -> Response:
        kinds = {
            name: [{"type": metric.kind, "help": metric.help, "unit": ""}]
            for name, (metric, _) in SERIES.items()
        }
        return _success(kinds)

    async def nothing(_: Request) -> Response:
        return _success([])

    async def rules(_: Request) -> Response:
        return _success({"groups": []})

    async def build_info(_: Request) -> Response:
        return _success({"version": "2.55.0", "application": "bindtrace", "features": {}})

    routes: list[tuple[str, Callable[[Request], Any]]] = [
        ("/api/v1/query", query),
        ("/api/v1/query_range", query_range),
        ("/api/v1/series", series),
        ("/api/v1/labels", labels),
        ("/api/v1/label/{label}/values", label_values),
        ("/api/v1/metadata", metadata),
        ("/api/v1/query_exemplars", nothing),
        ("/api/v1/rules", rules),
        ("/api/v1/status/buildinfo", build_info),
    ]
    app = Starlette(
        routes=[Route(path, answer, methods=["GET", "POST"]) for path, answer in routes],
        exception_handlers={
            UnsupportedError: _said(422, "execution"),
            ValueError: _said(400, "bad_data"),
            TookTooLongError: _said(503, "timeout"),
            Refusal: _said(503, "unavailable"),
            duckdb.InvalidInputException: _said(400, "bad_data"),
        },
    )
    app.router.redirect_slashes = False
    return app


def _series(con: duckdb.DuckDBPyConnection, text: str, grid: Grid, gauges: Gauges) -> list[Any]:
    expression, found = parse(text), Vector()
    if not hasattr(expression, "matchers"):
        raise PromQLError(f"`{text}` is not a selector")
    for selector in selector_of(expression):
        if selector.metric.kind == "gauge":
            own = at_moments(con, selector, grid, gauges)
        else:
            own = over_range(con, selector, grid, grid.step)
        found |= {(("__name__", selector.name), *labels): values for labels, values in own.items()}
    return list(found)


async def _given(request: Request) -> Given:
    """Parameters of the URL and of a form."""
    pairs = request.query_params.multi_items()
    if request.method == "POST":
        pairs += parse_qsl((await _body(request)).decode("utf-8", "replace"), max_num_fields=1000)
    return ImmutableMultiDict(pairs)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise PromQLError(f"a form of more than {MOST_BYTES} bytes")
    return bytes(body)


def _one(given: Given, name: str) -> str:
    values = given.getlist(name)
    if len(values) != 1:
        raise PromQLError(f"`{name}` is needed, once")
    return values[0]


def _moment(given: Given, name: str, default: int, now: int) -> int:
    """Unlike elsewhere, 0 is the beginning of 1970 and not nothing."""
    return 0 if given.get(name) == "0" else moment(given, name, default, now)


def _grid(given: Given) -> Grid:
    now = now_unix_nano()
    first, last = _moment(given, "start", now - HOUR_NANO, now), _moment(given, "end", now, now)
    step = seconds_or_length("step", _one(given, "step"))
    if last < first:
        raise PromQLError("`end` is before `start`")
    count = (last - first) // step + 1
    if count > MOST_POINTS:
        raise PromQLError(f"{count} points are more than {MOST_POINTS}; ask for a longer `step`")
    return Grid(first, step, count, now)


def _whole(given: Given) -> Grid:
    """One moment at the end of the asked time, whose step is all of that time."""
    now = now_unix_nano()
    first, last = _moment(given, "start", now - 6 * HOUR_NANO, now), _moment(given, "end", now, now)
    return Grid(last, max(1, last - first), 1, now)


def _limit(given: Given) -> int:
    return count(given, "limit", MOST_SERIES, MOST_SERIES)


def _success(data: Any) -> Response:
    return json_answer({"status": "success", "data": data})


def _said(status: int, kind: str) -> Callable[[Request, Exception], Response]:
    return lambda _, error: json_answer(
        {"status": "error", "errorType": kind, "error": str(error).splitlines()[0]}, status
    )
