"""A real authority that sends with its token: believed where it is named, and nobody else is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from interop.sidecars import BINDTRACE, TRUST_DOMAIN, process, run
from receiving import PROTOBUF
from sending_as import issue_told
from serving import collecting
from support import wait_for

pytestmark = pytest.mark.slow  # an authority and a collector

SETTINGS = """
scope = "shop"
[services.authority]
issuer = true
[[grants]]
caller = "orders"
callee = "inventory"
"""


def test_of_what_was_issued_the_named_authority_is_believed_and_no_other_sender(tmp_path: Path) -> None:
    settings, database, ca = tmp_path / "bindtrace.toml", tmp_path / "t.duckdb", tmp_path / "ca"
    tokens = {name: os.urandom(16).hex() for name in ("authority", "billing")}
    settings.write_text(SETTINGS)
    (tmp_path / "tokens").write_text("".join(f"{name}:{token}\n" for name, token in tokens.items()))
    run("authority", "init", ca, "--trust-domain", TRUST_DOMAIN)
    run("authority", "register", ca, "--manifest", settings)

    with collecting(
        database, "--manifest", str(settings), "--token-file", str(tmp_path / "tokens"), receivers=1
    ) as collector:
        http = f"http://{collector.endpoints['http']}"
        told = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector.endpoints['grpc']}",
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {tokens['authority']}",
        }
        with process([BINDTRACE, "authority", "serve", ca], tmp_path / "authority.log", **told):
            wait_for((ca / "authority.sock").exists, what="the authority")
            run("authority", "issue", ca, "--service", "orders", "--out", tmp_path / "orders.join")
            joined = process(
                [BINDTRACE, "authz", "serve", "--join", tmp_path / "orders.join", "--mode", "enforce",
                 "--listen", f"unix:{tmp_path / 'authz.sock'}"],
                tmp_path / "authz.log",
            )  # fmt: skip
            forged = issue_told("aa" * 16, "spiffe://shop.example/a").SerializeToString()
            bearer = {"authorization": f"Bearer {tokens['billing']}"}
            assert (
                httpx.post(f"{http}/v1/traces", content=forged, headers=PROTOBUF | bearer).status_code == 200
            )
            with joined:
                wait_for(
                    lambda: len(issuers(collector.endpoints["api"])) == 2, seconds=30, what="both tellers"
                )
        found = issuers(collector.endpoints["api"])
        assert collector.stop() == 0

    assert {row["sender"]: row["believed"] for row in found} == {"authority": "yes", "billing": "no"}
    shown = run("sql", "select distinct told_by from believed_credentials", "--db", database, "-f", "json")
    assert json.loads(shown.stdout) == [{"told_by": "authority"}]


def issuers(api: str) -> list[dict[str, Any]]:
    return list(httpx.get(f"http://{api}/api/reports/issuers", params={"since": "1h"}, timeout=20).json())
