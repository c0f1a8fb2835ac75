"""unseen-refusal: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

import hashlib
from typing import Any

import duckdb
import handshakes
from google.protobuf.message import Message
from statistics_of_envoy import END, metrics

from bindtrace.collector.journal.record import Request
from bindtrace.collector.otlp.admit import Admitted, Encoding, admit
from bindtrace.collector.reading import Piece
from bindtrace.collector.storing import store
from bindtrace.queries.catalog import run_report
from bindtrace.queries.query import Query

RULE = "unseen-refusal"
NO_CERT, UNTRUSTED, DENIED = (
    "listener.ssl.fail_verify_no_cert",
    "listener.ssl.fail_verify_error",
    "http.rbac.denied",
)
SECOND = 10**9


def told(con: duckdb.DuckDBPyConnection, encoding: Encoding, *requests: Message) -> None:
    for request in requests:
        body = request.SerializeToString()
        admitted = admit(body, encoding)
        assert isinstance(admitted, Admitted)
        digest = hashlib.blake2b(body, digest_size=16).digest()
        kept = Request(admitted.sender, "grpc", encoding, END, digest, admitted.spans, admitted.body)
        store(con, [Piece(kept, admitted.rejected, admitted.message)])


def found(con: duckdb.DuckDBPyConnection, **window: Any) -> list[dict[str, Any]]:
    return run_report(con, "findings", Query(filters={"rule": RULE}, **window))


def test_flags_what_a_proxy_counted_and_no_record_tells_of(con: duckdb.DuckDBPyConnection) -> None:
    told(con, "metrics", metrics((NO_CERT, 2), (DENIED, 1)), metrics((UNTRUSTED, 1), at=END + 5 * SECOND))

    (row,) = found(con)

    assert (row["caller"], row["callee"], row["callee_env"]) == (None, "inventory", "production")
    assert (row["count"], row["severity"], row["grade"]) == (4, "medium", "claimed")
    assert "at least 3 TLS handshakes and 1 request of which nothing says who called" in row["message"]
    assert "rbac.denied of inbound" in row["message"]


def test_flags_only_what_is_beyond_the_records(con: duckdb.DuckDBPyConnection) -> None:
    told(con, "metrics", metrics((NO_CERT, 2), (UNTRUSTED, 1)))
    told(con, "logs", of_production(handshakes.refused(), handshakes.refused("peer_cert_untrusted")))

    (row,) = found(con)

    assert row["count"] == 1
    assert "tell of 2)" in row["message"]


def test_passes_a_proxy_whose_records_tell_of_all(con: duckdb.DuckDBPyConnection) -> None:
    told(con, "logs", of_production(handshakes.refused(), handshakes.refused("peer_cert_expired")))
    told(con, "metrics", metrics((NO_CERT, 1), (UNTRUSTED, 1)))

    assert not found(con)


def test_trap_a_count_that_is_sent_twice_is_one(con: duckdb.DuckDBPyConnection) -> None:
    told(con, "metrics", metrics((NO_CERT, 1)), metrics((NO_CERT, 1), (DENIED, 0)))

    assert [row["count"] for row in found(con)] == [1]


def test_trap_a_handshake_without_a_certificate_to_verify_is_not_among_these_counters(
    con: duckdb.DuckDBPyConnection,
) -> None:
    told(con, "logs", of_production(handshakes.refused("handshake_failed")))
    told(con, "metrics", metrics((NO_CERT, 1)))

    assert [row["count"] for row in found(con)] == [1]


def test_trap_an_interval_that_began_before_the_window_may_be_told_of_before_it(
    con: duckdb.DuckDBPyConnection,
) -> None:
    told(con, "metrics", metrics((NO_CERT, 1)))

    assert not found(con, since_unix_nano=END - SECOND)
    assert found(con, since_unix_nano=END - 6 * SECOND)


def test_a_count_is_no_call(con: duckdb.DuckDBPyConnection) -> None:
    told(con, "metrics", metrics((NO_CERT, 2)))

    assert not run_report(con, "hops", Query())
    assert not run_report(con, "chains", Query())


def of_production(*records: dict[str, str]) -> Message:
    sent = handshakes.logs(*records, at=END - SECOND)
    where = sent.resource_logs[0].resource.attributes.add(key="deployment.environment.name")
    where.value.string_value = "production"
    return sent
