"""secret-in-telemetry: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

import duckdb
from drawing import NOON
from judging import found

RULE = "secret-in-telemetry"


def _count(con: duckdb.DuckDBPyConnection, what: str, reason: str, values: int = 2) -> None:
    con.execute(
        "insert into senders values ('orders', 'opentelemetry', '1.45', 'http', ?, ?, ?, ?)",
        [what, reason, values, NOON],
    )


def test_flags_a_service_that_sent_credentials_and_names_the_place(shop: duckdb.DuckDBPyConnection) -> None:
    _count(shop, "redacted", "aws in http.request.header.x-key")
    _count(shop, "redacted", "token in url.full", 3)

    (row,) = found(shop, RULE)

    assert (row["caller"], row["callee"], row["count"], row["severity"]) == ("orders", None, 5, "high")
    assert "aws in http.request.header.x-key, token in url.full" in row["message"]


def test_flags_what_only_a_name_tells_as_less(shop: duckdb.DuckDBPyConnection) -> None:
    _count(shop, "redacted", "token in http.request.header.x-token", 1)

    assert [(row["severity"], row["count"]) for row in found(shop, RULE)] == [("medium", 1)]


def test_passes_a_service_whose_spans_held_none(shop: duckdb.DuckDBPyConnection) -> None:
    _count(shop, "accepted", "")

    assert not found(shop, RULE)


def test_trap_a_quirk_is_no_credential(shop: duckdb.DuckDBPyConnection) -> None:
    _count(shop, "quirks", "base64 ids")

    assert not found(shop, RULE)
