"""Who may ask the API: tokens, health for everybody, and a limit for who asks too often."""

from __future__ import annotations

from pathlib import Path

import pytest
from answering import Api, served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bindtrace.collector.receive.auth import read_tokens
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.api.access import Guarded
from bindtrace.queries.live_source import LiveSource
from bindtrace.queries.query import Query

TOKEN = "0123456789abcdef0123456789abcdef"


def application() -> Starlette:
    async def answer(_: Request) -> Response:
        return JSONResponse([])

    return Starlette(routes=[Route("/livez", answer), Route("/api/reports/{name}", answer)])


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"# who may ask\ngrafana:{TOKEN}\n")
    return path


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:4319", 200), ("localhost:4319", 200), ("[::1]:4319", 200), ("collector:4319", 200),
        ("host.docker.internal:4319", 200), ("evil.example", 421), ("evil.example:4319", 421),
        ("127.0.0.1.evil.example:4319", 421), ("localhost.evil.example.", 421),
    ],
)  # fmt: skip
def test_a_page_whose_name_was_led_here_is_told_nothing(host: str, status: int) -> None:
    api = Api(Guarded(application(), None, here_only=True))

    told = api.request("GET", "/api/reports/edges", headers={"host": host})

    assert told.status_code == status
    assert api.request("GET", "/livez", headers={"host": host}).status_code == 200


def test_without_the_token_nothing_is_told(tokens: Path) -> None:
    api = Api(Guarded(application(), read_tokens(tokens).name))

    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
        reply = api.request("GET", "/api/reports/hops", headers=headers)
        assert reply.status_code == 401
        assert reply.headers["www-authenticate"] == "Bearer"
    assert (
        api.request("GET", "/api/reports/hops", headers={"authorization": f"Bearer {TOKEN}"}).status_code
        == 200
    )


def test_health_needs_no_token(tokens: Path) -> None:
    assert Api(Guarded(application(), read_tokens(tokens).name)).get("/livez").status_code == 200


def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    now = [0.0]
    api = Api(Guarded(application(), None, per_second=2, burst=3, clock=lambda: now[0]))

    codes = [api.get("/api/reports/hops").status_code for _ in range(4)]
    refused = api.get("/api/reports/hops")
    now[0] = 0.6

    assert codes == [200, 200, 200, 429]
    assert refused.headers["retry-after"] == "1"
    assert api.get("/api/reports/hops").status_code == 200
    assert api.get("/api/reports/hops").status_code == 429


def test_the_command_line_shows_the_token_of_the_file_that_its_variable_names(
    tokens: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(Guarded(application(), read_tokens(tokens).name)) as url:
        with pytest.raises(Refusal, match="a token is needed"):
            LiveSource(url).rows("hops", Query())

        monkeypatch.setenv("BINDTRACE_API_TOKEN_FILE", str(tokens))
        assert LiveSource(url).rows("hops", Query()) == []

        monkeypatch.setenv("BINDTRACE_API_TOKEN_FILE", str(tokens.with_name("none")))
        with pytest.raises(Refusal, match="cannot read"):
            LiveSource(url).rows("hops", Query())
