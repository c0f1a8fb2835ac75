"""The catalog: what can be bought, and whether it is there. It asks the inventory, by its binding."""

from __future__ import annotations

import os

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bindtrace.collector.demo.shop import telemetry
from bindtrace.propagation.processor import BindingSpanProcessor

telemetry.start(BindingSpanProcessor())

INVENTORY = os.environ["INVENTORY_URL"]
ITEMS = ("lamp", "chair", "table")


class ShortHeaders(httpx.AsyncHTTPTransport):
    """Fault: takes "superfluous" headers off what it sends, and the trace context with them."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for superfluous in ("user-agent", "accept-encoding", "traceparent", "tracestate"):
            request.headers.pop(superfluous, None)
        return await super().handle_async_request(request)


http = telemetry.client()
frugal = telemetry.client(ShortHeaders())


async def items(request: Request) -> JSONResponse:
    stock = (await http.get(f"{INVENTORY}/inventory/stock")).json()
    return JSONResponse([{"item": item, "in_stock": stock[item]} for item in ITEMS])


async def search(request: Request) -> JSONResponse:
    """Fault: the call is by the binding, but its trace ends here and another begins at the inventory."""
    stock = (await frugal.get(f"{INVENTORY}/inventory/stock")).json()
    word = request.query_params.get("q", "")
    return JSONResponse([item for item in ITEMS if word in item and stock[item]])


app = telemetry.served(Starlette(routes=[Route("/catalog/items", items), Route("/catalog/search", search)]))
