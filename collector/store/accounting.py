"""Accounting records of the journal into the table `senders`: what receivers did with whose spans. Decides nothing.

A record travels as a `Request` whose encoding is `accounting`; its body is one JSON object, written by
`receive/accounting.py`: `{"sender": {"service", "sdk", "version", "protocol", "identity"}, "last_seen_unix_nano": "…",
"counts": {what: {reason: count}}}`. The writer calls `split` before it decodes, and `store` in the transaction that
stores the position: a replayed record counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import duckdb
import orjson

from bindtrace.collector.journal.record import Request
from bindtrace.queries.transaction import transaction

ENCODING: Final = "accounting"
COMPACT_ABOVE_ROWS: Final = 20_000


def split(requests: Sequence[Request]) -> tuple[list[Request], list[Request]]:
    """OTLP requests, and accounting records."""
    records = [request for request in requests if request.encoding == ENCODING]
    return (
        [request for request in requests if request.encoding != ENCODING] if records else list(requests)
    ), records


def store(con: duckdb.DuckDBPyConnection, records: Sequence[Request]) -> None:
    """Adds the counts, within the caller's transaction. A record that is none of ours is passed over."""
    totals: dict[tuple[str, str | None, str | None, str, str, str], tuple[int, int]] = {}
    for record in records:
        for key, count in _rows(record.body):
            before, seen = totals.get(key, (0, 0))
            totals[key] = before + count, max(seen, record.received_unix_nano)
    if totals:
        con.execute(
            """
            insert into senders (service, sdk, version, protocol, what, reason, spans, last_seen_unix_nano)
            select unnest($1::varchar[]), unnest($2::varchar[]), unnest($3::varchar[]), unnest($4::varchar[]),
                unnest($5::varchar[]), unnest($6::varchar[]), unnest($7::ubigint[]), unnest($8::ubigint[])
            """,
            [
                *([key[column] for key in totals] for column in range(6)),
                [count for count, _ in totals.values()],
                [seen for _, seen in totals.values()],
            ],
        )


def store_again(con: duckdb.DuckDBPyConnection, requests: Sequence[Request]) -> None:
    """Adds the spans of requests that were stored before, by the sender that the journal names."""
    totals: dict[tuple[str, str, str], tuple[int, int]] = {}
    for request in requests:
        service, _, sdk = request.sender.rpartition("/")
        spans, seen = totals.get((service, sdk, request.protocol), (0, 0))
        totals[service, sdk, request.protocol] = spans + request.spans, max(seen, request.received_unix_nano)
    for (service, sdk, protocol), (spans, seen) in totals.items():
        con.execute(
            "insert into senders by name select $1 as service, $2 as sdk, null as version, $3 as protocol, "
            "'duplicates' as what, '' as reason, $4::ubigint as spans, $5::ubigint as last_seen_unix_nano",
            [service, sdk or None, protocol, spans, seen],
        )


def compact(con: duckdb.DuckDBPyConnection, above: int = COMPACT_ABOVE_ROWS) -> None:
    """Sums the counts of an hour into one row per sender and word, once there are more than `above` rows.

    Receivers write a few rows a second for ever; an hour is as fine as anybody asks of the past. One transaction.
    """
    (rows,) = con.execute("select count(*) from senders").fetchone() or (0,)
    if rows <= above:
        return
    with transaction(con):
        con.execute(_SUM)
        con.execute("delete from senders")
        con.execute("insert into senders by name from hourly")


_SUM: Final = """
    create or replace temp table hourly as
    select
        service, sdk, version, protocol, what, reason,
        sum(spans)::ubigint as spans,
        max(last_seen_unix_nano) as last_seen_unix_nano
    from senders
    group by service, sdk, version, protocol, what, reason, last_seen_unix_nano // 3600000000000
"""


def _rows(body: bytes) -> list[tuple[tuple[str, str | None, str | None, str, str, str], int]]:
    try:
        document: Any = orjson.loads(body)
        sender = document["sender"]
        who = (
            str(sender["service"] or sender.get("identity") or ""),
            str(sender["sdk"]) or None,
            str(sender["version"]) or None,
            str(sender["protocol"]),
        )
        return [
            ((*who, str(what), str(reason)), int(count))
            for what, reasons in document["counts"].items()
            for reason, count in reasons.items()
        ]
    except (KeyError, TypeError, ValueError, AttributeError):
        return []
