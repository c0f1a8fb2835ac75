"""A running collector as a source of answers: asked over HTTP, by pages, and never through a proxy on the loopback."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shlex
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Final

from bindtrace.propagation import environment
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.query import FOREVER, Query
from bindtrace.queries.window import in_rfc3339

Row = dict[str, Any]

DEFAULT_URL: Final = "http://127.0.0.1:4319"
TOKEN_FILE_VARIABLE: Final = "BINDTRACE_API_TOKEN_FILE"  # noqa: S105  # the name of a variable
_NEXT: Final = re.compile(r'<(/[^>]*)>; rel="next"')
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_ANSWER_S: Final = 120.0
_MAX_ANSWER_BYTES: Final = 1 << 29


class LiveSource:
    """A running collector, asked over HTTP."""

    def __init__(self, url: str) -> None:
        """Opens no connection yet. Raises `Refusal` where the URL is not one."""
        self._url = checked_url(url)

    def rows(self, report: str, query: Query) -> list[Row]:
        rows: list[Row] = []
        path: str | None = f"/api/reports/{urllib.parse.quote(report, safe='')}"
        parameters = _parameters(query)
        while path is not None:
            answer, path = self._page(path, parameters)
            if not (isinstance(answer, list) and all(isinstance(row, dict) for row in answer)):
                raise self._stranger("its answer is not a list of rows")
            rows += answer
            parameters = {}
        return rows

    def status(self, timeout_s: float = _ANSWER_S) -> dict[str, Any]:
        """What the collector says of itself. Raises `Refusal` where no collector of bindtrace answers."""
        answer = self._get("/api/status", {}, timeout_s)
        if not (isinstance(answer, dict) and "pid" in answer and "endpoints" in answer):
            raise self._stranger("its status names no process")
        return answer

    def close(self) -> None:
        """Nothing is held between questions."""

    def describe(self) -> str:
        return self._url

    def option(self) -> str:
        return "" if self._url == DEFAULT_URL else f"--url {shlex.quote(self._url)}"

    def _get(self, path: str, parameters: dict[str, str], timeout_s: float = _ANSWER_S) -> Any:
        return self._page(path, parameters, timeout_s)[0]

    def _page(
        self, path: str, parameters: dict[str, str], timeout_s: float = _ANSWER_S
    ) -> tuple[Any, str | None]:
        """The answer, and the path of the next page where there is one."""
        question = f"{self._url}{path}"
        if parameters:
            question += f"?{urllib.parse.urlencode(parameters)}"
        try:
            asked = urllib.request.Request(question, headers=_authorization())  # noqa: S310  # checked_url
            with _opener(self._url).open(asked, timeout=timeout_s) as reply:
                body = reply.read(_MAX_ANSWER_BYTES + 1)
                following = _NEXT.fullmatch(reply.headers.get("link", ""))
        except urllib.error.HTTPError as error:
            with error:
                raise self._answered(error.code, error.read(65536)) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._silent(error) from None
        if len(body) > _MAX_ANSWER_BYTES:
            raise Refusal(f"the answer of {self._url} is too large", fix="narrow it with --since or --limit")
        try:
            return json.loads(body), following and following[1]
        except ValueError:
            raise self._stranger("its answer is not JSON") from None

    def _answered(self, status: int, body: bytes) -> Refusal:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            said = json.loads(body)["error"]
            return Refusal(str(said["message"]), fix=str(said["fix"]))
        return self._stranger(f"it says {status}")

    def _silent(self, error: Exception) -> Refusal:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        timed_out = isinstance(reason, TimeoutError)
        why = "it took too long" if timed_out else getattr(reason, "strerror", None) or str(reason)
        return Refusal(
            f"no answer from {self._url}: {why.lower()}",
            fix="start `bindtrace serve`, or name a running collector with --url or a file with --db",
        )

    def _stranger(self, why: str) -> Refusal:
        return Refusal(
            f"{self._url} answers, but not as a bindtrace collector: {why}",
            fix="name the address that `bindtrace serve` prints as `api`",
        )


def checked_url(text: str) -> str:
    """The address without its last slash; `http://` where no scheme is written. Raises `Refusal`."""
    written = (text if "://" in text else f"http://{text}").rstrip("/")
    try:
        parts = urllib.parse.urlsplit(written)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or any(char <= " " for char in written):
        raise Refusal(f"`{text}` is not the address of a collector", fix=f"write it as {DEFAULT_URL}")
    if parts.username is not None:
        raise Refusal("--url takes no user name or password", fix="write it as http://HOST:PORT")
    return written


def _parameters(query: Query) -> dict[str, str]:
    own = {
        "since": in_rfc3339(query.since_unix_nano) if query.since_unix_nano > 0 else None,
        "until": in_rfc3339(query.until_unix_nano) if query.until_unix_nano < FOREVER else None,
        "env": query.environment,
        "limit": None if query.limit is None else str(query.limit),
        "settled": "true" if query.settled else None,
    }
    return {**query.filters, **{key: value for key, value in own.items() if value is not None}}


def _authorization() -> dict[str, str]:
    """The token of the file that `BINDTRACE_API_TOKEN_FILE` names, which `serve` reads too. Raises `Refusal`."""
    path = environment.read(TOKEN_FILE_VARIABLE)
    if path is None:
        return {}
    try:
        lines = Path(path).read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(
            f"cannot read {path}, which {TOKEN_FILE_VARIABLE} names: {error}", fix="name a file with a token"
        ) from None
    written = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not written:
        raise Refusal(f"{path} holds no token", fix="write NAME:TOKEN or the token alone into it")
    return {"authorization": f"Bearer {written[0].rpartition(':')[2].strip()}"}


def _opener(url: str) -> urllib.request.OpenerDirector:
    """A loopback address is never asked through a proxy that the environment names."""
    if urllib.parse.urlsplit(url).hostname in _LOOPBACK:
        return urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener()
