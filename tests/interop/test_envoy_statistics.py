"""A real Envoy tells how many callers it refused, also those that leave neither a span nor a record."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.parse
from pathlib import Path

import pytest
from interop.peers import peer
from interop.sidecars import called_with, reported, run, shop_in
from support import free_port, wait_for

pytestmark = pytest.mark.slow  # an authority, a collector and an Envoy

UNSAMPLED = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-00"}
"""A caller that does not want to be traced: Envoy's tracer does as the caller says."""


def test_who_is_refused_without_a_span_or_a_record_is_counted_and_the_others_are_not_told_twice(
    tmp_path: Path,
) -> None:
    peer("envoy")
    with shop_in(tmp_path) as shop:
        app, inbound = shop.application(), free_port()
        shop.inventory(app, inbound)
        stranger = shop.identity("stranger")

        unseen = [called_with(stranger, inbound, "/stock/7", **UNSAMPLED) for _ in range(3)]
        seen = [called_with(stranger, inbound, "/stock/7") for _ in range(2)]
        with pytest.raises((ssl.SSLError, ConnectionError)):
            called_with(None, inbound, "/stock/7")

        assert unseen + seen == [403] * 5
        wait_for(lambda: counted(shop.api) == (5, 1), seconds=30, what="both statistics")
        wait_for(lambda: refused(shop.api) == 3, seconds=30, what="the refused calls")

    found = json.loads(
        run("findings", "--db", tmp_path / "t.duckdb", "-f", "json", "--rule", "unseen-refusal").stdout
    )

    assert [(row["callee"], row["count"], row["grade"]) for row in found] == [("inventory", 3, "claimed")]
    assert "at least 3 requests of which nothing says who called" in found[0]["message"]


def counted(api: str) -> tuple[int, int]:
    """How many requests and handshakes the Envoy has said that it refused."""
    counts = searched(api, "{ span.bindtrace.statistic.count > 0 }", "bindtrace.statistic.count")
    requests = sum(int(count) for name, count in counts if name == "rbac.denied counted")
    return requests, sum(int(count) for name, count in counts if name.startswith("ssl."))


def refused(api: str) -> int:
    return sum(row["outcome"] == "refused" for row in reported(api, "hops", since="1h"))


def searched(api: str, question: str, shown: str) -> list[tuple[str, str]]:
    """Name and one attribute of the spans that a TraceQL search finds."""
    host, _, port = api.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    asked = urllib.parse.quote(f"{question} | select(span.{shown})")
    connection.request("GET", f"/tempo/api/search?limit=100&q={asked}")
    traces = json.loads(connection.getresponse().read())["traces"]
    connection.close()
    spans = [span for trace in traces for span_set in trace["spanSets"] for span in span_set["spans"]]
    return [
        (span["name"], *attribute["value"].values())
        for span in spans
        for attribute in span["attributes"]
        if attribute["key"] == shown
    ]
