"""The policy of a small shop, as the manifest readers would give it."""

from __future__ import annotations

from bindtrace.propagation.manifest import DeclaredService, Exposure, Grant, Host, Manifest, Match

SERVICES = ("storefront", "catalog", "orders", "inventory", "billing", "ledger")
GRANTS = (
    ("storefront", "catalog"),
    ("storefront", "orders"),
    ("catalog", "inventory"),
    ("orders", "inventory"),
    ("billing", "ledger"),
)
EDGE, INVENTORY, LEDGER = "shop.example", "inventory.internal", "ledger.internal:9106"


def vercel() -> Manifest:
    origin = ("vercel", "")
    return Manifest(
        "vercel.json",
        *origin,
        revision="1",
        services=tuple(
            DeclaredService(*origin, name, None, "vercel.json", line) for line, name in enumerate(SERVICES, 3)
        ),
        grants=tuple(
            Grant(*origin, None, caller, callee, f"{callee.upper()}_URL", "vercel.json", line)
            for line, (caller, callee) in enumerate(GRANTS, 20)
        ),
        exposures=(
            Exposure(*origin, "inventory", "/inventory/(.*)", "^/inventory/(.*)$", "vercel.json", 40),
            Exposure(*origin, "storefront", "/(.*)", "^/(.*)$", "vercel.json", 41),
        ),
    )


def settings() -> Manifest:
    return Manifest(
        "bindtrace.toml",
        "bindtrace",
        "shop",
        revision="2",
        hosts=(
            Host(EDGE, None, "public"),
            Host(f"*.{EDGE}", None, "public"),
            Host(INVENTORY, "inventory", "private"),
            Host(LEDGER, "ledger", "private"),
        ),
        matches=(
            Match("edge", "edge", "service.name", "edge"),
            Match("ledger", "service", "service.name", "ledger-api"),
        ),
    )
