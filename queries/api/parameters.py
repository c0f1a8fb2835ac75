"""Parameters of a URL or form that several APIs read alike. Every failure is a `ValueError` that names one."""

from __future__ import annotations

import re
from typing import Any, Final
from uuid import UUID

import orjson
from starlette.datastructures import ImmutableMultiDict
from starlette.responses import PlainTextResponse, Response

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.queries.query import FOREVER
from bindtrace.queries.window import parse_length, parse_moment

NANO: Final = 10**9
Given = ImmutableMultiDict[str, str]
"""Of a name that is there twice, the last counts."""


def window(
    given: Given, last_s: int | None = None, names: tuple[str, str] = ("start", "end")
) -> tuple[int, int]:
    """The two parameters as Unix nanoseconds; without them everything, or the last `last_s`."""
    now = now_unix_nano()
    until = moment(given, names[1], FOREVER if last_s is None else now, now)
    since = moment(given, names[0], 0 if last_s is None else until - last_s * NANO, now)
    if since > until:
        raise ValueError(f"`{names[0]}` is after `{names[1]}`")
    return since, max(until, since + 1)


def moment(given: Given, name: str, default: int, now: int) -> int:
    """A moment as Unix nanoseconds; its unit is known by its size (window.py)."""
    text = given.get(name)
    try:
        return parse_moment(text, now) if text and text != "0" else default
    except ValueError as error:
        raise ValueError(f"`{name}`: {error}") from None


def length(given: Given, name: str, default: int) -> int:
    """A length of time in nanoseconds: `30s`, or a number of seconds."""
    text = given.get(name)
    return seconds_or_length(name, text) if text else default


def seconds_or_length(name: str, text: str) -> int:
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text, re.ASCII):
        return max(1, int(float(text) * NANO))
    try:
        return parse_length(text)
    except ValueError as error:
        raise ValueError(f"`{name}`: {error}") from None


def count(given: Given, name: str, default: int, most: int) -> int:
    """A number, at most `most`; 0 means the default."""
    text = given.get(name)
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        raise ValueError(f"`{name}`: `{text}` is not a number")
    return min(int(text), most) or default


def trace_id(text: str) -> UUID:
    """A trace id, with or without its leading zeros."""
    if not re.fullmatch(r"[0-9a-fA-F]{1,32}", text, re.ASCII):
        raise ValueError(f"`{text}` is not a trace id: at most 32 hexadecimal digits")
    return UUID(hex=text.zfill(32))


HEADERS: Final = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


def json_answer(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json", headers=HEADERS)


def text_answer(text: str, status: int = 200) -> Response:
    return PlainTextResponse(text, status, headers=HEADERS)
