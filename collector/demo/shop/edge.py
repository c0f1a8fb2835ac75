"""The shop's public edge: a reverse proxy that forwards what the manifest's rewrites allow, and one path more."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bindtrace.collector.demo.shop import telemetry

telemetry.start()

INTERNET_S = 0.008
"""The way from a caller to a public edge and its front door, which a loopback address does not have."""

SERVICES: dict[str, str] = json.loads(os.environ["EDGE_SERVICES"])
REWRITES = [
    (re.compile(f"^{rewrite['source']}$"), rewrite["destination"]["service"])
    for rewrite in json.loads(Path(os.environ["EDGE_MANIFEST"]).read_text("utf-8"))["rewrites"]
]
# Fault: put in by hand for an auditor who needed the books for a day. No rewrite declares it.
FORGOTTEN = [(re.compile("^/ledger/export$"), "ledger")]

# Of this connection, not of the request (RFC 9110 7.6.1), or injected anew by the client.
OF_ONE_HOP = (
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
)
CONTEXT = ("traceparent", "tracestate", "baggage")
# Internal claims and credentials do not enter from outside.
INTERNAL = ("service-binding", "workload-identity-token", "workload-proof-token", "txn-token")
NOT_FORWARDED = frozenset((*OF_ONE_HOP, *CONTEXT, *INTERNAL))

http = telemetry.client(callees={url: name for name, url in SERVICES.items()})


async def forward(request: Request) -> Response:
    path = request.url.path
    service = next((name for pattern, name in FORGOTTEN + REWRITES if pattern.match(path)), None)
    if service is None:
        return PlainTextResponse("no rewrite leads from here", status_code=404)
    await asyncio.sleep(INTERNET_S)
    answer = await http.request(
        request.method,
        SERVICES[service] + path,
        params=request.url.query or None,
        headers=[(name, value) for name, value in request.headers.items() if name not in NOT_FORWARDED],
        content=await request.body(),
    )
    return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))


app = telemetry.served(
    Starlette(
        routes=[Route("/{path:path}", forward, methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])]
    )
)
