"""A running collector as a source, and what is said where none answers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from answering import answering, served
from drawn_shop import GOOD_ID, write_shop
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send
from support import free_port

from bindtrace.propagation.errors import Refusal
from bindtrace.queries.catalog import REPORTS
from bindtrace.queries.live_source import LiveSource, checked_url
from bindtrace.queries.query import Query
from bindtrace.queries.source import FileSource, open_source


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("file") / "shop.duckdb")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, file: Path) -> Iterator[str]:
    copy = Path(shutil.copy(file, tmp_path_factory.mktemp("live") / "shop.duckdb"))
    with answering(copy) as address:
        yield address


@pytest.mark.parametrize("report", sorted(REPORTS))
@pytest.mark.parametrize(
    "query",
    [Query(), Query(since_unix_nano=1_790_000_001_000_000_000, until_unix_nano=1_790_000_002_000_000_001),
     Query(environment="production"), Query(limit=2)],
    ids=["all", "window", "environment", "limit"],
)  # fmt: skip
def test_a_collector_and_its_file_give_the_same_rows(file: Path, url: str, report: str, query: Query) -> None:
    needed = {
        "chain": {"trace_id": GOOD_ID},
        "traces": {"prefix": "a1"},
        "calls": {"with_paths": "true"},
    }.get(report, {})
    asked = Query(query.since_unix_nano, query.until_unix_nano, query.environment, needed, query.limit)
    source = FileSource(file)
    try:
        assert LiveSource(url).rows(report, asked) == source.rows(report, asked)
    finally:
        source.close()


def test_a_question_to_a_collector_loads_no_database_engine(url: str) -> None:
    program = """
import sys
from bindtrace.queries.commands import edges
edges.main(["--url", sys.argv[1], "-f", "json"], standalone_mode=False)
print("duckdb" in sys.modules, file=sys.stderr)
"""

    done = subprocess.run(
        [sys.executable, "-c", program, url], capture_output=True, text=True, timeout=60, check=True
    )

    assert (done.stderr, bool(json.loads(done.stdout))) == ("False\n", True)


def test_a_filter_that_the_report_has_not_is_refused_by_both_in_the_same_words(file: Path, url: str) -> None:
    source = FileSource(file)
    try:
        with pytest.raises(Refusal) as from_file:
            source.rows("edges", Query(filters={"colour": "red"}))
        with pytest.raises(Refusal) as from_collector:
            LiveSource(url).rows("edges", Query(filters={"colour": "red"}))
    finally:
        source.close()

    assert from_collector.value.message == from_file.value.message


def test_a_report_that_the_collector_has_not_is_refused_with_its_names(url: str) -> None:
    with pytest.raises(Refusal, match=r"there is no report `nope`.*edges"):
        LiveSource(url).rows("nope", Query())


def test_a_name_in_a_filter_may_hold_any_character(url: str) -> None:
    assert LiveSource(url).rows("edges", Query(filters={"caller": "a&b=c #?%\u202e/ü"})) == []


def test_nobody_listening_is_one_line_with_what_to_do() -> None:
    address = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(Refusal, match=f"no answer from {address}: connection refused.*bindtrace serve"):
        LiveSource(address).rows("edges", Query())


async def _page(scope: Scope, receive: Receive, send: Send) -> None:
    answers: dict[str, Response] = {
        "/api/reports/text": PlainTextResponse("<html>hello</html>"),
        "/api/reports/number": PlainTextResponse("42"),
        "/api/reports/names": PlainTextResponse('["a"]'),
        "/api/reports/moved": RedirectResponse("/elsewhere"),
        "/api/status": PlainTextResponse('{"status": "up"}'),
    }
    await answers.get(scope["path"], PlainTextResponse("no", 418))(scope, receive, send)


@pytest.fixture(scope="module")
def stranger() -> Iterator[str]:
    """Another program's HTTP server."""
    with served(_page) as address:
        yield address


@pytest.mark.parametrize("report", ["text", "number", "names", "moved", "other"])
def test_something_else_that_answers_is_named_as_such(stranger: str, report: str) -> None:
    with pytest.raises(Refusal, match="answers, but not as a bindtrace collector"):
        LiveSource(stranger).rows(report, Query())


def test_the_status_of_something_else_is_not_a_collectors(stranger: str) -> None:
    with pytest.raises(Refusal, match="answers, but not as a bindtrace collector"):
        LiveSource(stranger).status()


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")

    assert LiveSource(url).rows("services", Query())


def test_an_address_needs_no_scheme_and_loses_its_last_slash() -> None:
    assert checked_url("localhost:4319/") == "http://localhost:4319"
    assert checked_url("https://traces.example/bindtrace/") == "https://traces.example/bindtrace"
    assert checked_url("http://[::1]:4319") == "http://[::1]:4319"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://",
        "ftp://host",
        "file:///etc/passwd",
        "http://host:99999",
        "http://ho st",
        "http://h?x=1",
        "http://[::1",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="is not the address of a collector"):
        checked_url(text)


def test_a_password_in_the_address_is_refused_without_being_repeated() -> None:
    with pytest.raises(Refusal) as refused:
        checked_url("http://me:hunter2@host")

    assert "hunter2" not in str(refused.value)


def test_commands_to_copy_name_a_collector_that_is_not_the_default(url: str) -> None:
    assert open_source(None, url).option() == f"--url {url}"
    assert LiveSource("http://127.0.0.1:4319").option() == ""
