"""The orders: takes them, reserves the goods and has them paid, by its bindings."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bindtrace.collector.demo.shop import intruder, shim, telemetry
from bindtrace.propagation.processor import BindingSpanProcessor

telemetry.start(BindingSpanProcessor())

INVENTORY = os.environ["INVENTORY_URL"]
BILLING = os.environ["BILLING_URL"]
# The shop's own public address, as customers type it.
SHOP = os.environ["SHOP_ORIGIN"]

http = telemetry.client()


async def take(request: Request) -> JSONResponse:
    order = await request.json()
    reserved = await http.post(f"{INVENTORY}/inventory/reserve", json=order)
    paid = await http.post(f"{BILLING}/billing/charge", json=order)
    return JSONResponse({"reserved": reserved.json(), "paid": paid.json()}, status_code=201)


async def recent(request: Request) -> JSONResponse:
    return JSONResponse([{"order": 1017, "item": "lamp"}])


async def availability(request: Request) -> JSONResponse:
    """Fault: asks the inventory by the shop's public address, though the binding is at hand."""
    stock = await http.get(f"{SHOP}/inventory/stock")
    return JSONResponse(stock.json())


async def refund(request: Request) -> JSONResponse:
    answer = await http.post(f"{BILLING}/billing/refund", json=await request.json())
    return JSONResponse(answer.json())


async def restock(request: Request) -> JSONResponse:
    answer = await http.post(f"{INVENTORY}/inventory/restock", json=await request.json())
    return JSONResponse(answer.json())


async def intrude(request: Request) -> JSONResponse:
    """Attack: asks the inventory with the credentials of one trick, and tells what it was answered."""
    assert shim.identity is not None
    credentials = intruder.TRICKS[request.path_params["trick"]](shim.identity)
    async with telemetry.client(intruder.Crooked(shim.identity, credentials)) as crooked:
        answers = [
            await crooked.post(f"{INVENTORY}/inventory/reserve", json={"item": "lamp"}) for _ in credentials
        ]
    return JSONResponse(
        {"statuses": [answer.status_code for answer in answers], "trace_id": telemetry.trace_id()}
    )


app = telemetry.served(
    Starlette(
        routes=[
            Route("/orders", take, methods=["POST"]),
            Route("/orders/recent", recent),
            Route("/orders/availability", availability),
            Route("/orders/refund", refund, methods=["POST"]),
            Route("/orders/restock", restock, methods=["POST"]),
            *([Route("/orders/intruder/{trick}", intrude)] if shim.identity else []),
        ]
    )
)
