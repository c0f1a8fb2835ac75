"""The inventory: what lies on the shelves. Open to the public for reading, and bound by catalog and orders."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bindtrace.collector.demo.shop import telemetry
from bindtrace.propagation.processor import BindingSpanProcessor

telemetry.start(BindingSpanProcessor())

# The old warehouse's machine. Nobody wrote down whose it is: no manifest knows it.
WAREHOUSE = "http://" + os.environ["WAREHOUSE_HOST"]

http = telemetry.client()


async def stock(request: Request) -> JSONResponse:
    return JSONResponse({"lamp": 7, "chair": 2, "table": 0})


async def reserve(request: Request) -> JSONResponse:
    return JSONResponse({"item": (await request.json())["item"], "reserved": True})


async def restock(request: Request) -> JSONResponse:
    """Fault: calls a host that nobody declared."""
    answer = await http.post(f"{WAREHOUSE}/pick", json=await request.json())
    return JSONResponse(answer.json())


app = telemetry.served(
    Starlette(
        routes=[
            Route("/inventory/stock", stock),
            Route("/inventory/reserve", reserve, methods=["POST"]),
            Route("/inventory/restock", restock, methods=["POST"]),
        ]
    )
)
