"""A shop's database as a stopped collector leaves it: good calls and faults, drawn, judged, and closed."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from drawing import CLIENT, NOON, SERVER, S, draw, span, trace_id
from shop_policy import settings, vercel

from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import open_database
from bindtrace.queries.policy import install_policy

GOOD = 0xA1B2C3D4_00000000_00000000_00000001
UNDECLARED = 0xA1B2FFFF_00000000_00000000_00000002
PUBLIC = 0xFEED0000_00000000_00000000_00000003
GOOD_ID, UNDECLARED_ID, PUBLIC_ID = map(trace_id, (GOOD, UNDECLARED, PUBLIC))


def good_spans() -> tuple[S, ...]:
    return (
        span("storefront", SERVER, 1, trace=GOOD, ms=120),
        span("storefront", CLIENT, 2, 1, trace=GOOD, at_ms=5, ms=100, binding_name="ORDERS_URL"),
        span("orders", SERVER, 3, 2, trace=GOOD, at_ms=8, ms=90),
        span("orders", CLIENT, 4, 3, trace=GOOD, at_ms=10, ms=40, server_host="inventory.internal"),
        span("inventory", SERVER, 5, 4, trace=GOOD, at_ms=12, ms=30, error=True),
        span("storefront", CLIENT, 6, 1, trace=GOOD, at_ms=106, ms=12),
        span("catalog", SERVER, 7, 6, trace=GOOD, at_ms=107, ms=10),
    )


def faulty_spans() -> tuple[S, ...]:
    return (
        span("storefront", SERVER, 11, trace=UNDECLARED, at_ms=1000),
        span("storefront", CLIENT, 12, 11, trace=UNDECLARED, at_ms=1001, server_host="ledger.internal:9106"),
        span("ledger-api", SERVER, 13, 12, trace=UNDECLARED, at_ms=1002),
        span("orders", SERVER, 21, trace=PUBLIC, at_ms=2000, ms=80),
        span("orders", CLIENT, 22, 21, trace=PUBLIC, at_ms=2001, ms=70, server_host="shop.example"),
        span("edge", SERVER, 23, 22, trace=PUBLIC, at_ms=2004, ms=64),
        span("edge", CLIENT, 24, 23, trace=PUBLIC, at_ms=2005, ms=60, server_host="inventory.internal"),
        span("inventory", SERVER, 25, 24, trace=PUBLIC, at_ms=2010, ms=50),
    )


def write_shop(path: Path) -> Path:
    """Writes the database and returns its path."""
    path.write_bytes(_shop())
    return path


@cache
def _shop() -> bytes:
    """Drawn and judged once for all who read it: that takes a second, and a copy of 1 MB nothing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop.duckdb"
        con = open_database(path)
        install_policy(con, [vercel(), settings()])
        draw(con, *good_spans(), *faulty_spans())
        con.execute(
            "insert into senders values ('orders', 'opentelemetry', '1.45', 'http', 'accepted', '', 15, $noon), "
            "('orders', 'opentelemetry', '1.45', 'http', 'rejected', 'bad trace id', 2, $noon)",
            {"noon": NOON},
        )
        analyse(con)
        con.close()
        return path.read_bytes()
