"""The ledger: the books. Internal: no rewrite leads here, and billing alone is bound to it."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bindtrace.collector.demo.shop import telemetry
from bindtrace.propagation.processor import BindingSpanProcessor

telemetry.start(BindingSpanProcessor())


async def write(request: Request) -> JSONResponse:
    return JSONResponse({"entry": 4711, "amount": (await request.json())["amount"]}, status_code=201)


async def balance(request: Request) -> JSONResponse:
    return JSONResponse({"balance": 1250})


async def export(request: Request) -> JSONResponse:
    return JSONResponse([{"entry": 4711, "amount": 129}])


app = telemetry.served(
    Starlette(
        routes=[
            Route("/ledger/entries", write, methods=["POST"]),
            Route("/ledger/balance", balance),
            Route("/ledger/export", export),
        ]
    )
)
