"""The billing: takes money and gives it back, and has the ledger write it down, by its binding."""

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

LEDGER = os.environ["LEDGER_URL"]


class OnBehalfOfOrders(httpx.AsyncHTTPTransport):
    """Fault: refunds are "the orders' business", so it writes their name over its own in `Service-Binding`."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        claim = request.headers.get("service-binding")
        if claim is not None:
            request.headers["service-binding"] = claim.replace("billing", "orders")
        return await super().handle_async_request(request)


http = telemetry.client()
impostor = telemetry.client(OnBehalfOfOrders())


async def charge(request: Request) -> JSONResponse:
    entry = await http.post(f"{LEDGER}/ledger/entries", json=await request.json())
    return JSONResponse({"charged": entry.json()})


async def refund(request: Request) -> JSONResponse:
    """Fault: billing calls, and claims to be orders."""
    entry = await impostor.post(f"{LEDGER}/ledger/entries", json=await request.json())
    return JSONResponse({"refunded": entry.json()})


app = telemetry.served(
    Starlette(
        routes=[
            Route("/billing/charge", charge, methods=["POST"]),
            Route("/billing/refund", refund, methods=["POST"]),
        ]
    )
)
