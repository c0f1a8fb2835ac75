"""The built-in page without a browser: what each page says, where its links lead, and that names stay names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest
from answering import Api
from drawing import CLIENT, SERVER, draw, span
from drawn_shop import GOOD_ID, PUBLIC_ID, write_shop

from bindtrace.queries.analyse import analyse
from bindtrace.queries.api.app import build
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import cursor, open_database
from bindtrace.queries.query import Query

HOSTILE = "<img src=x onerror=alert(1)>\"'&\u202e\x1b[31m"


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    path: Path = write_shop(tmp_path_factory.mktemp("web") / "shop.duckdb")
    connection = open_database(path)
    draw(
        connection,
        span(HOSTILE, SERVER, 61, trace=0xDD, at_ms=5000),
        span(HOSTILE, CLIENT, 62, 61, trace=0xDD, at_ms=5001, server_host=HOSTILE),
        span(f"{HOSTILE} too", SERVER, 63, 62, trace=0xDD, at_ms=5002),
    )
    analyse(connection)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def api(con: duckdb.DuckDBPyConnection) -> Api:
    def run(name: str, query: Query) -> list[dict[str, Any]]:
        return run_report(cursor(con), name, query)

    return Api(build(run, dict, lambda position, timeout: True))


class Elements(HTMLParser):
    """Every element of a document with its attributes, and its text."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page(api: Api, path: str) -> Elements:
    reply = api.get(path)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("text/html")
    return Elements(reply.text)


PATHS = ["/", "/findings", "/chains", "/services", f"/chain/{PUBLIC_ID}", f"/chain/{0xDD:032x}"]


@pytest.mark.parametrize("path", PATHS)
def test_names_are_never_elements_nor_control_characters(api: Api, path: str) -> None:
    found = page(api, path)

    assert "img" not in [name for name, _ in found.elements]
    assert not [key for _, attributes in found.elements for key in attributes if key.startswith("on")]
    assert "\x1b" not in found.text
    assert "\u202e" not in found.text
    if path in ("/chains", "/services"):
        assert "onerror=alert(1)" in found.text


@pytest.mark.parametrize("path", PATHS)
def test_nothing_comes_from_elsewhere_and_the_policy_is_strict(api: Api, path: str) -> None:
    reply = api.get(path)
    found = Elements(reply.text)

    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    for _, attributes in found.elements:
        for key in ("href", "src", "action"):
            value = attributes.get(key)
            assert value is None or value.startswith(("/", "data:,")), value
        assert "style" not in attributes


@pytest.mark.parametrize("path", PATHS)
def test_every_link_leads_to_a_page(api: Api, path: str) -> None:
    links = {attributes["href"] for name, attributes in page(api, path).elements if name in ("a", "link")}

    for link in links:
        assert link is not None
        if link.startswith("/"):
            assert api.get(link.partition("#")[0]).status_code == 200, link


def test_the_overview_counts_and_names_what_is_wrong(api: Api) -> None:
    found = page(api, "/")

    assert "public-route: orders → inventory" in found.text
    assert "storefront → orders → inventory" in found.text
    assert "Who calls whom" in found.text


def test_a_finding_says_what_to_do_and_leads_to_its_chain(api: Api) -> None:
    found = page(api, "/findings?rule=public-route")

    assert "orders called inventory by the public host shop.example" in found.text
    assert "how to check" in found.text
    assert f"/chain/{PUBLIC_ID}" in [attributes.get("href") for _, attributes in found.elements]
    assert "undeclared-call" not in found.text


def test_a_command_to_copy_is_safe_with_a_service_that_calls_itself_one(
    con: duckdb.DuckDBPyConnection,
) -> None:
    finding = run_report(cursor(con), "findings", Query(filters={"rule": "public-route"}))[0]

    def run(name: str, query: Query) -> list[dict[str, Any]]:
        return [finding | {"caller": "a; rm -rf ~"}] if name == "findings" else []

    found = page(Api(build(run, dict, lambda position, timeout: True)), "/findings")

    assert "--caller 'a; rm -rf ~' --callee inventory" in found.text


def test_a_chain_shows_its_waterfall_its_calls_and_its_findings(api: Api) -> None:
    found = page(api, f"/chain/{PUBLIC_ID}")

    assert "svg" in [name for name, _ in found.elements]
    assert [name for name, _ in found.elements].count("details") == 2
    assert "public-route: orders → inventory" in found.text


def test_chains_are_narrowed_to_a_service_and_to_violations(api: Api) -> None:
    assert "storefront → catalog" in page(api, "/chains").text
    narrowed = page(api, "/chains?through=inventory&only=violations").text
    assert "orders → inventory" in narrowed
    assert "catalog" not in narrowed


@pytest.mark.parametrize(
    ("text", "target"),
    [
        (GOOD_ID, f"/chain/{GOOD_ID}"),
        (GOOD_ID[:6].upper(), f"/chain/{GOOD_ID}"),
        ("public-route", "/findings?rule=public-route"),
        ("orders", "/chains?through=orders"),
        ("feedfeed", "/chains?through=feedfeed"),
        ("//evil.example", "/chains?through=%2F%2Fevil.example"),
    ],
)
def test_a_search_leads_to_what_it_names(api: Api, text: str, target: str) -> None:
    reply = api.get("/search", {"q": text})

    assert reply.status_code == 303
    assert reply.headers["location"] == target


def test_an_unknown_chain_is_a_page_that_says_so(api: Api) -> None:
    for wanted in ("abc", "f" * 32, "%3Cscript%3E"):
        reply = api.get(f"/chain/{wanted}")
        assert reply.status_code == 404
        assert "No trace" in reply.text
        assert "<script>" not in reply.text.partition("<main>")[2]


def test_window_and_environment_are_kept_by_links(api: Api) -> None:
    links = [
        str(attributes.get("href"))
        for name, attributes in page(api, "/?since=1h&env=prod").elements
        if name == "a"
    ]

    assert "/findings?since=1h&env=prod" in links
    assert "/?since=7d&env=prod" in links
    assert api.get("/?since=soon").status_code == 200


def test_the_style_sheet_has_its_digest_in_its_name_and_the_script_makes_nothing_of_strings(api: Api) -> None:
    (sheet,) = [
        a["href"] for name, a in page(api, "/").elements if name == "link" and a.get("rel") == "stylesheet"
    ]
    script = api.get("/page/live.mjs")

    assert "immutable" in api.get(str(sheet)).headers["cache-control"]
    assert script.headers["content-type"].startswith("text/javascript")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script.text)
