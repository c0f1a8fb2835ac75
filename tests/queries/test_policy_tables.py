"""All that a manifest says is in the tables that rules and reports read."""

from __future__ import annotations

import duckdb

from bindtrace.propagation.manifest import (
    AddressRange,
    DeclaredService,
    Default,
    Exposure,
    Grant,
    Host,
    Manifest,
    Probe,
)
from bindtrace.queries.policy import install_policy

AT = ("app.toml", 7)
GRANT = Grant(
    "p", "shop", "production", "a", "b", "B", *AT, action="deny", kind="message", road="public",
    callee_scope="other", entrypoint="Api", methods=("GET", "PUT"), paths=("^/x$",),
    protection="mtls", used_within_days=90, traced=False, ruled=True,
)  # fmt: skip
SERVICE = DeclaredService(
    "p", "shop", "b", "internal", *AT, environment="production", sensitive=True, protection="tls", outside=True,
    forwarder=True, delegates_for=("c",), environments=("preview",), only_through=("a",),
    issuer=True,
)  # fmt: skip


def test_every_part_of_a_manifest_is_stored_with_its_revision_and_place(
    con: duckdb.DuckDBPyConnection,
) -> None:
    manifest = Manifest(
        "app.toml", "p", "shop", "rev", (SERVICE,), (GRANT,), deployment="dpl_1", max_hops=8,
        exposures=(Exposure("p", "shop", "b", "/x", "^/x$", *AT, "preview", "*.example.com", "preview"),),
        hosts=(Host("b.example.com", "b", "public", "p", "shop", "preview", *AT),),
        defaults=(Default("p", "shop", None, "deny", *AT),),
        ranges=(AddressRange("192.0.2.0/24", "egress", "a", *AT),),
        probes=(Probe("lb", ("10.0.0.0/8",), "ELB/", ("^/ping$",), *AT),),
    )  # fmt: skip

    install_policy(con, [manifest])

    def rows(table: str) -> list[tuple[object, ...]]:
        return con.execute(f"select columns(c -> c <> 'loaded_unix_nano') from {table}").fetchall()

    assert rows("grants") == [
        ("rev", "p", "shop", "production", "a", "b", "B", *AT, "deny", "message", "public", "other", "Api",
         ["GET", "PUT"], ["^/x$"], "mtls", 90, False, True)
    ]  # fmt: skip
    assert rows("services") == [
        ("rev", "p", "shop", "b", "internal", *AT, "production", True, "tls", True, True, ["c"], ["preview"], ["a"],
         True)
    ]  # fmt: skip
    assert rows("exposures") == [
        ("rev", "p", "shop", "b", "/x", "^/x$", *AT, "preview", "*.example.com", "preview")
    ]
    assert rows("hosts") == [("b.example.com", "b", "public", "p", "shop", "preview", *AT)]
    assert rows("defaults") == [("rev", "p", "shop", None, "deny", *AT)]
    assert rows("address_ranges") == [("192.0.2.0/24", "egress", "a", *AT)]
    assert rows("probes") == [("lb", ["10.0.0.0/8"], "ELB/", ["^/ping$"], *AT)]
    assert con.execute(
        "select revision, platform, scope, file, deployment, max_hops from manifests"
    ).fetchall() == [("rev", "p", "shop", "app.toml", "dpl_1", 8)]
    assert rows("meta where key = 'scope'") == [("scope", "shop")]


def test_telemetry_without_a_scope_is_of_none_where_manifests_speak_of_several(
    con: duckdb.DuckDBPyConnection,
) -> None:
    install_policy(con, [Manifest("a", "p", "one", "1"), Manifest("b", "p", "two", "2")])

    assert con.execute("select value from meta where key = 'scope'").fetchall() == []
