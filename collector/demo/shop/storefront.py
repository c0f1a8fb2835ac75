"""The storefront: what a customer sees. It asks the catalog and the orders, by its bindings."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bindtrace.collector.demo.shop import telemetry
from bindtrace.propagation.processor import BindingSpanProcessor

telemetry.start(BindingSpanProcessor())

CATALOG = os.environ["CATALOG_URL"]
ORDERS = os.environ["ORDERS_URL"]
# Found in the ledger's deployment notes. No binding leads there.
LEDGER = "http://" + os.environ["LEDGER_HOST"]

http = telemetry.client()


async def home(request: Request) -> JSONResponse:
    items = await http.get(f"{CATALOG}/catalog/items")
    return JSONResponse({"items": items.json()})


async def search(request: Request) -> JSONResponse:
    found = await http.get(f"{CATALOG}/catalog/search", params=dict(request.query_params))
    return JSONResponse({"found": found.json()})


async def account(request: Request) -> JSONResponse:
    orders = await http.get(f"{ORDERS}/orders/recent")
    return JSONResponse({"orders": orders.json()})


async def checkout(request: Request) -> JSONResponse:
    order = await http.post(f"{ORDERS}/orders", json=await request.json())
    return JSONResponse({"order": order.json()}, status_code=order.status_code)


async def availability(request: Request) -> JSONResponse:
    answer = await http.get(f"{ORDERS}/orders/availability")
    return JSONResponse({"availability": answer.json()})


async def refund(request: Request) -> JSONResponse:
    answer = await http.post(f"{ORDERS}/orders/refund", json=await request.json())
    return JSONResponse({"refund": answer.json()})


async def restock(request: Request) -> JSONResponse:
    answer = await http.post(f"{ORDERS}/orders/restock", json=await request.json())
    return JSONResponse({"restock": answer.json()})


async def intruder(request: Request) -> JSONResponse:
    """Attack: the way in, for an intruder who sits in the orders."""
    answer = await http.get(f"{ORDERS}/orders/intruder/{request.path_params['trick']}")
    return JSONResponse(answer.json())


async def statement(request: Request) -> JSONResponse:
    """Fault: past orders and billing, straight to the ledger, which storefront was never given."""
    balance = await http.get(f"{LEDGER}/ledger/balance")
    return JSONResponse({"balance": balance.json()})


app = telemetry.served(
    Starlette(
        routes=[
            Route("/", home),
            Route("/search", search),
            Route("/account", account),
            Route("/checkout", checkout, methods=["POST"]),
            Route("/availability", availability),
            Route("/refund", refund, methods=["POST"]),
            Route("/restock", restock, methods=["POST"]),
            Route("/statement", statement),
            Route("/intruder/{trick}", intruder),
        ]
    )
)
