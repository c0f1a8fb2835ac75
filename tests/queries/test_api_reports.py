"""The collector's HTTP API: reports, their parameters, and what is said of mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from answering import Api
from drawn_shop import UNDECLARED_ID, write_shop

from bindtrace.propagation.errors import Refusal
from bindtrace.queries.api.app import build
from bindtrace.queries.catalog import REPORTS, run_report
from bindtrace.queries.database import cursor, open_database
from bindtrace.queries.query import FOREVER, Query


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    path: Path = write_shop(tmp_path_factory.mktemp("api") / "shop.duckdb")
    connection = open_database(path)
    yield connection
    connection.close()


@pytest.fixture
def asked() -> list[Query]:
    """The queries that reached the database."""
    return []


@pytest.fixture
def api(con: duckdb.DuckDBPyConnection, asked: list[Query]) -> Api:
    def run(name: str, query: Query) -> list[dict[str, Any]]:
        asked.append(query)
        return run_report(cursor(con), name, query)

    return Api(build(run, dict, lambda position, timeout: True))


def message(reply: Any) -> str:
    assert set(reply.json()) == {"error"}
    assert set(reply.json()["error"]) == {"message", "fix"}
    return str(reply.json()["error"]["message"])


def test_every_report_is_listed_with_its_parameters(api: Api) -> None:
    listed = {entry["name"]: entry for entry in api.get("/api/reports").json()}

    assert set(listed) == set(REPORTS)
    assert listed["chain"]["required"] == ["trace_id"]
    assert listed["edges"]["parameters"] == ["since", "until", "env", "limit"]


def test_rows_are_those_of_the_catalog(api: Api, con: duckdb.DuckDBPyConnection) -> None:
    assert api.get("/api/reports/edges").json() == run_report(cursor(con), "edges", Query())


def test_any_other_parameter_filters_by_column(api: Api) -> None:
    rows = api.get("/api/reports/hops", params={"caller": "storefront", "verdict": "denied"}).json()

    assert [(row["callee"], row["trace_id"]) for row in rows] == [("ledger", UNDECLARED_ID)]


def test_a_chain_is_asked_by_its_trace_id_in_any_case(api: Api) -> None:
    (root,) = api.get("/api/reports/chain", params={"trace_id": UNDECLARED_ID.upper()}).json()

    assert [child["callee"] for child in root["children"]] == ["ledger"]


def test_window_environment_and_limit_reach_the_query(api: Api, asked: list[Query]) -> None:
    api.get("/api/reports/hops?since=1769860800000000000&until=2026-02-01T00:00:00Z&env=production&limit=5")

    assert asked == [Query(1769860800_000000000, 1769904000_000000000, "production", {}, 5)]


def test_without_parameters_everything_is_asked(api: Api, asked: list[Query]) -> None:
    api.get("/api/reports/hops?env=&since=&limit=0")

    assert asked == [Query(0, FOREVER, None, {}, None)]


def test_an_unknown_report_is_404_with_the_names(api: Api) -> None:
    reply = api.get("/api/reports/nope")

    assert reply.status_code == 404
    assert "`nope`" in message(reply)
    assert "edges" in reply.json()["error"]["fix"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("since=yesterday", "`since`"),
        ("until=25", "`until`"),
        ("since=2026-01-02&until=2026-01-01", "`since`"),
        ("limit=-1", "`limit`"),
        ("limit=many", "`limit`"),
        ("colour=red", "colour"),
        ("caller=a&caller=b", "`caller`"),
        ("trace_id=xyz", "`trace_id`"),
    ],
)
def test_a_bad_parameter_is_400_and_named(api: Api, query: str, named: str) -> None:
    reply = api.get(
        f"/api/reports/hops?since=2026-01-01&{query}"
        if query.startswith("until")
        else f"/api/reports/hops?{query}"
    )

    assert reply.status_code == 400
    assert named in message(reply)


def test_a_chain_without_its_trace_id_is_400(api: Api) -> None:
    reply = api.get("/api/reports/chain")

    assert reply.status_code == 400
    assert "trace_id" in message(reply)


def test_an_unknown_chain_is_an_empty_list(api: Api) -> None:
    reply = api.get("/api/reports/chain", params={"trace_id": "e" * 32})

    assert (reply.status_code, reply.json()) == (200, [])


@pytest.mark.parametrize(
    "path", ["/api/reports", "/api/reports/edges", "/api/reports/nope", "/nope", "/api/reports/"]
)
def test_every_answer_is_json_that_a_browser_cannot_make_anything_else_of(api: Api, path: str) -> None:
    headers = api.get(path).headers

    assert headers["content-type"] == "application/json"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_only_reading_is_allowed(api: Api, method: str) -> None:
    reply = api.request(method, "/api/reports/edges")

    assert reply.status_code == 405
    assert "allow" in reply.headers
    message(reply)


def test_head_is_answered_without_a_body(api: Api) -> None:
    reply = api.request("HEAD", "/api/reports/edges")

    assert (reply.status_code, reply.content) == (200, b"")


def failing(error: Exception) -> Api:
    def run(name: str, query: Query) -> list[dict[str, Any]]:
        raise error

    return Api(build(run, dict, lambda position, timeout: True))


def test_a_refusal_keeps_its_words_and_is_503() -> None:
    reply = failing(Refusal("the database is full", fix="make room")).get("/api/reports/edges")

    assert (reply.status_code, reply.json()) == (
        503,
        {"error": {"message": "the database is full", "fix": "make room"}},
    )


def test_a_fault_of_ours_is_500_without_detail() -> None:
    reply = failing(RuntimeError("secret path")).get("/api/reports/edges")

    assert reply.status_code == 500
    assert "secret" not in reply.text
    assert reply.headers["x-content-type-options"] == "nosniff"
    message(reply)
