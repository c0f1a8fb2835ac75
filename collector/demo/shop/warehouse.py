"""The old warehouse's machine: it answers, has no telemetry, and is in no manifest."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def pick(request: Request) -> JSONResponse:
    return JSONResponse({"picked": (await request.json())["item"]})


app = Starlette(routes=[Route("/pick", pick, methods=["POST"])])
