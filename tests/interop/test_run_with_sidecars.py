"""`bindtrace run` starts two services with real Envoys beside them; one calls the other by its binding variable."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from interop.peers import peer
from interop.sidecars import BINDTRACE, Shop, hop_of, process, shop_in
from support import free_port, listening, wait_for

pytestmark = pytest.mark.slow  # an authority, a collector, two services and two Envoys

MANIFEST = """
scope = "shop"
[[grants]]
caller = "orders"
callee = "inventory"
binding = "STOCK_URL"
"""
ORDERS = """
import http.server, os, sys, urllib.request
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        headers = {"traceparent": self.headers["traceparent"]} if self.headers["traceparent"] else {}
        asked = urllib.request.Request(os.environ["STOCK_URL"] + self.path, headers=headers)
        body = urllib.request.urlopen(asked, timeout=10).read()
        self.send_response(200); self.send_header("content-length", str(len(body))); self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
INVENTORY = """
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = sys.argv[2].encode()
        self.send_response(200); self.send_header("content-length", str(len(body))); self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


def asked(port: int, **headers: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    connection.request("GET", "/stock/7", headers=headers)
    body = connection.getresponse().read().decode()
    connection.close()
    return body


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    peer("envoy")
    with shop_in(tmp_path, MANIFEST, "--refresh", "2s", "--publish", "6s", "--skew", "2s") as made:
        yield made


def started(shop: Shop, service: str, code: str, port: int, *words: object, said: str = "") -> None:
    """A service run with an Envoy; ready when it listens."""
    invitation = words[0]
    command = [
        BINDTRACE, "run", "--service", service, "--join", invitation, "--manifest", shop.manifest, "--mode", "enforce",
        "--sidecar", peer("envoy"), "--app", f"127.0.0.1:{port}", "--otlp", shop.collector, *words[1:], "--",
        sys.executable, "-c", code, port, said,
    ]  # fmt: skip
    log = shop.folder / f"{service}{said}.log"
    running = shop.stack.enter_context(process(command, log))

    def up() -> bool:
        assert running.poll() is None, log.read_text()[-2000:]
        return listening(port)

    wait_for(up, seconds=40, what=f"{service} to run")


def test_a_call_by_the_variable_is_a_proven_hop_and_follows_the_callee_where_it_moves(shop: Shop) -> None:
    first, second, app, moved, orders, outbound = (free_port() for _ in range(6))
    invited = shop.invitation("inventory", "production", f"127.0.0.1:{first}")
    started(shop, "inventory", INVENTORY, app, invited, "--inbound", f"127.0.0.1:{first}", said="old")
    own = shop.invitation("orders")
    started(shop, "orders", ORDERS, orders, own, "--outbound", f"127.0.0.1:{outbound}")

    before = asked(orders, traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01")
    again = shop.invitation("inventory", "production", f"127.0.0.1:{second}", deployment="2")
    started(shop, "inventory", INVENTORY, moved, again, "--inbound", f"127.0.0.1:{second}", said="new")

    assert before == "old"
    wait_for(lambda: asked(orders) == "new", seconds=20, what="orders to find the new deployment")
    hop_of(shop.api, "ab" * 16, caller="orders", grade="proven", verdict="allowed", protection="mtls")
