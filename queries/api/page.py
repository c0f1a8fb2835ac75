"""The routes of the built-in page. Reads parameters and asks reports; `queries/web` draws."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.queries.drawing.facts import violating
from bindtrace.queries.drawing.markup import Markup
from bindtrace.queries.query import Query
from bindtrace.queries.rules import RULES
from bindtrace.queries.web import pages
from bindtrace.queries.web.layout import STYLE, STYLE_NAME, View, document
from bindtrace.queries.window import parse_length

T = TypeVar("T")
Rows = list[dict[str, Any]]
Run = Callable[[str, Query], Rows]
InThread = Callable[[Callable[[], bytes]], Awaitable[bytes]]

CHAINS: Final = 200
_SCRIPT: Final = (files("bindtrace.queries.web") / "live.mjs").read_bytes()
_COMMON: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
HEADERS: Final = _COMMON | {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "cache-control": "private, no-cache",
}


def page_routes(run: Run, in_thread: InThread) -> list[Route]:
    """`/`, `/findings`, `/chains`, `/chain/ID`, `/services`, `/search`, and the style sheet and script they need."""

    async def get_overview(request: Request) -> Response:
        view, query = _view(request)

        def draw() -> bytes:
            edges, findings, chains, coverage = (
                run(name, query) for name in ("edges", "findings", "chains", "coverage")
            )
            return document("Overview", "/", view, pages.overview(edges, findings, chains, coverage, view))

        return _html(await in_thread(draw))

    async def get_findings(request: Request) -> Response:
        view, query = _view(request)
        rule = request.query_params.get("rule", "")

        def draw() -> bytes:
            rows = [row for row in run("findings", query) if rule in ("", row["rule"])]
            return document("Findings", "/findings", view, pages.findings_page(rows, view))

        return _html(await in_thread(draw))

    async def get_chains(request: Request) -> Response:
        view, query = _view(request)
        through, only = request.query_params.get("through", ""), request.query_params.get("only", "")

        def draw() -> bytes:
            kept = [
                row
                for row in run("chains", query)
                if (not through or through in row["signature"]) and (not only or violating(row))
            ]
            return document("Chains", "/chains", view, pages.chains_page(kept[:CHAINS], view, through, only))

        return _html(await in_thread(draw))

    async def get_services(request: Request) -> Response:
        view, query = _view(request)
        return _html(
            await in_thread(
                lambda: document(
                    "Services", "/services", view, pages.services_page(run("services", query), view)
                )
            )
        )

    async def get_chain(request: Request) -> Response:
        view, _ = _view(request)
        trace_id = request.path_params["trace_id"].lower()
        found = True

        def draw() -> bytes:
            nonlocal found
            roots = run("chain", Query(filters={"trace_id": trace_id})) if _is_id(trace_id) else []
            found = bool(roots)
            if not found:
                return _missing(
                    view, f"No trace {trace_id}", "It may be older than what is kept, or not analysed yet."
                )
            return document(
                "Chain",
                "/chains",
                view,
                pages.chain_page(roots, _of_trace(run, trace_id, roots), view),
                live=False,
            )

        body = await in_thread(draw)
        return _html(body, 200 if found else 404)

    async def get_search(request: Request) -> Response:
        view, _ = _view(request)
        text = request.query_params.get("q", "").strip()
        found: list[str] = []

        def look() -> bytes:
            if re.fullmatch(r"[0-9a-fA-F]{4,32}", text, re.ASCII):
                rows = run("traces", Query(filters={"prefix": text.lower()}, limit=1))
                found.extend(str(row["trace_id"]) for row in rows)
            return b""

        await in_thread(look)
        return RedirectResponse(_target(view, text, found), 303, headers=HEADERS)

    async def get_style(_: Request) -> Response:
        return _asset(STYLE.encode(), "text/css; charset=utf-8", "public, max-age=31536000, immutable")

    async def get_script(_: Request) -> Response:
        return _asset(_SCRIPT, "text/javascript; charset=utf-8", "no-cache")

    return [
        Route("/", get_overview),
        Route("/findings", get_findings),
        Route("/chains", get_chains),
        Route("/chain/{trace_id}", get_chain),
        Route("/services", get_services),
        Route("/search", get_search),
        Route(f"/page/{STYLE_NAME}.css", get_style),
        Route("/page/live.mjs", get_script),
    ]


def _view(request: Request) -> tuple[View, Query]:
    """The window and environment that links keep; a `since` that is no length of time shows everything."""
    since, environment = request.query_params.get("since", ""), request.query_params.get("env", "")
    try:
        begin = max(0, now_unix_nano() - parse_length(since)) if since else 0
    except ValueError:
        since, begin = "", 0
    return View(since, environment), Query(since_unix_nano=begin, environment=environment or None)


def _of_trace(run: Run, trace_id: str, roots: Sequence[dict[str, Any]]) -> Rows:
    """Findings whose subject made a call of this chain: those of the time around it."""
    flat = list(_flat(roots))
    pairs = {(row["caller"], row["callee"]) for row in flat}
    starts = [int(row["start_time_unix_nano"]) for row in flat]
    found = run("findings", Query(since_unix_nano=min(starts), until_unix_nano=max(starts) + 1))
    return [row for row in found if row["example"] and (row["caller"], row["callee"]) in pairs]


def _flat(roots: Sequence[dict[str, Any]]) -> Rows:
    return [row for root in roots for row in (root, *_flat(root["children"]))]


def _target(view: View, text: str, traces: Sequence[str]) -> str:
    if traces:
        return view.link(f"/chain/{traces[0]}")
    if text in RULES:
        return view.link("/findings", rule=text)
    return view.link("/chains", through=text)


def _is_id(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{32}", text, re.ASCII) is not None


def _missing(view: View, what: str, fix: str) -> bytes:
    main: list[Markup] = pages.missing(what, fix)
    return document(what, "/", view, main, live=False)


def _html(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="text/html", headers=HEADERS)


def _asset(body: bytes, media_type: str, caching: str) -> Response:
    return Response(body, media_type=media_type, headers=_COMMON | {"cache-control": caching})
