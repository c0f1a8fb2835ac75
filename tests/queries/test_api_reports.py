"""The collector's HTTP API: reports, their parameters, and what is said of mistakes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from answering import Api
from drawn_shop import UNDECLARED_ID, write_shop

from bindtrace.propagation.errors import Refusal
from bindtrace.queries.api import reports
from bindtrace.queries.api.app import build
from bindtrace.queries.api.reports import MOST_ROWS
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


def test_every_report_is_described_with_its_parameters_and_columns(api: Api) -> None:
    document = api.get("/api/reports").json()
    paths = document["paths"]

    assert document["openapi"].startswith("3.1")
    assert set(paths) == {f"/api/reports/{name}" for name in REPORTS}
    chain = {one["name"]: one["required"] for one in paths["/api/reports/chain"]["get"]["parameters"]}
    assert chain["trace_id"] is True
    edges = {one["name"]: one["required"] for one in paths["/api/reports/edges"]["get"]["parameters"]}
    assert {"since", "until", "env", "limit", "offset", "format", "caller"} <= set(edges)
    assert not any(edges.values())


def test_an_answer_comes_by_pages_that_lead_to_one_another(api: Api, con: duckdb.DuckDBPyConnection) -> None:
    whole, path, rows = run_report(cursor(con), "hops", Query()), "/api/reports/hops?limit=4", []
    first = api.get(path).json()

    while path:
        reply = api.get(path)
        rows += reply.json()
        path = reply.headers.get("link", "").partition(">")[0].removeprefix("<")

    assert rows == first == whole[:4]
    second = api.get("/api/reports/hops?limit=4&offset=4").json()
    assert first + second == whole[:8]


def test_a_page_that_is_full_names_the_next(
    api: Api, con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "MOST_ROWS", 3)
    rows: list[Any] = []
    path = "/api/reports/hops?caller=storefront"

    while path:
        reply = api.get(path)
        assert len(reply.json()) <= 3
        rows += reply.json()
        path = reply.headers.get("link", "").partition(">")[0].removeprefix("<")

    assert rows == run_report(cursor(con), "hops", Query(filters={"caller": "storefront"}))


def test_the_same_answer_is_not_sent_twice(api: Api) -> None:
    first = api.get("/api/reports/edges")
    again = api.request("GET", "/api/reports/edges", headers={"if-none-match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


def test_csv_and_arrow_hold_the_same_rows(api: Api) -> None:
    rows = api.get("/api/reports/edges").json()
    text = api.get("/api/reports/edges?format=csv")
    table = pa.ipc.open_stream(api.get("/api/reports/edges?format=arrow").content).read_all()
    accepted = api.request("GET", "/api/reports/edges", headers={"accept": "text/csv"})

    assert text.headers["content-type"].startswith("text/csv")
    assert [row["callee"] for row in csv.DictReader(io.StringIO(text.text))] == [
        row["callee"] for row in rows
    ]
    assert accepted.content == text.content
    assert table.to_pylist() == rows
    assert (
        pa.ipc.open_stream(api.get("/api/reports/edges?format=arrow&caller=no").content).read_all().num_rows
        == 0
    )
    assert api.get("/api/reports/edges?format=xml").status_code == 400


def test_nodes_and_edges_are_shaped_for_a_node_graph(api: Api) -> None:
    nodes = {row["id"]: row for row in api.get("/api/reports/graph_nodes").json()}
    edges = api.get("/api/reports/graph_edges").json()

    assert {edge["source"] for edge in edges} | {edge["target"] for edge in edges} <= set(nodes)
    denied = [edge for edge in edges if edge["detail__verdict"] == "denied"]
    assert [(edge["source"], edge["target"]) for edge in denied] == [("storefront", "ledger")]
    allowed = [
        edge for edge in edges if edge["detail__verdict"] == "allowed" and edge["detail__road"] == "binding"
    ]
    assert denied[0]["color"] != allowed[0]["color"]
    for node in nodes.values():
        assert node["arc__passed"] + node["arc__failed"] + node["arc__denied"] == pytest.approx(1)


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

    assert asked == [Query(1769860800_000000000, 1769904000_000000000, "production", {}, 6)]


def test_without_parameters_everything_is_asked(api: Api, asked: list[Query]) -> None:
    api.get("/api/reports/hops?env=&since=&limit=0")

    assert asked == [Query(0, FOREVER, None, {}, MOST_ROWS + 1)]


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
    assert headers["cache-control"] == "private, no-cache"
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
