"""Reads TraceQL text into `syntax` values by a grammar; the text of a failure says where. No SQL here."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any, Final

from lark import Lark, Token, Transformer, UnexpectedInput, UnexpectedToken, v_args
from lark.exceptions import VisitError

from bindtrace.queries.traceql.syntax import (
    Combined,
    Compare,
    Condition,
    Constant,
    Field,
    Filter,
    Logic,
    Negation,
    Place,
    Related,
    Scope,
    SpanSet,
    Stage,
    TraceQL,
    TraceQLError,
    Value,
)

MAX_CHARACTERS: Final = 8192
MAX_NESTING: Final = 64

_NANO: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)")
_SWAPPED: Final = {">": "<", "<": ">", ">=": "<=", "<=": ">="}
_KEYWORDS: Final = (
    "error",
    "ok",
    "unset",
    "server",
    "client",
    "producer",
    "consumer",
    "internal",
    "unspecified",
)
_SCOPES: Final[dict[str, Scope]] = {
    "": "any",
    "span": "span",
    "resource": "resource",
    "event": "event",
    "link": "link",
    "instrumentation": "instrumentation",
}


def parse(text: str) -> TraceQL:
    """The query that `text` says. Raises `TraceQLError`, which names the place."""
    if len(text) > MAX_CHARACTERS:
        raise TraceQLError(f"a query of {len(text)} characters is longer than {MAX_CHARACTERS}")
    if max(text.count(sign) for sign in "({!") > MAX_NESTING:
        raise TraceQLError(f"more than {MAX_NESTING} parentheses, braces or negations")
    try:
        return _BUILD.transform(_GRAMMAR.parse(text or "{}"))
    except UnexpectedInput as error:
        raise TraceQLError(*_unexpected(text, error)) from None
    except VisitError as error:
        if isinstance(error.orig_exc, TraceQLError):
            raise error.orig_exc from None
        raise


def parse_field(text: str) -> Field:
    """A tag as a list of tags spells it: `resource.service.name`, `.foo`, `status`. Raises `TraceQLError`."""
    query = parse(f"{{ {text} != nil }}")
    match query:
        case TraceQL(spans=Filter(condition=Compare(field=field)), stages=()):
            return field
    raise TraceQLError(f"`{text}` is not a tag")


def _unexpected(text: str, error: UnexpectedInput) -> tuple[str, int, int]:
    at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    if at_end or error.pos_in_stream is None or error.pos_in_stream >= len(text):
        return "the query ends too early", text.count("\n") + 1, len(text.rpartition("\n")[2]) + 1
    return f"`{text[error.pos_in_stream :][:20]}` is not expected here", error.line, error.column


def _at(token: Token) -> Place:
    return Place(token.line or 1, token.column or 1)


@v_args(inline=True)
class _Build(Transformer[Token, TraceQL]):
    def start(self, spans: SpanSet, *rest: Stage | None) -> TraceQL:
        return TraceQL(spans, tuple(stage for stage in rest if stage is not None))

    def combined(self, left: SpanSet, operator: Token, right: SpanSet) -> Combined:
        return Combined(str(operator), left, right)

    def related(self, left: SpanSet, operator: Token, right: SpanSet) -> Related:
        return Related(str(operator), left, right, _at(operator))

    def filter(self, condition: Condition | None) -> Filter:
        return Filter(condition)

    def logic(self, left: Condition, operator: Token, right: Condition) -> Logic:
        return Logic(str(operator), left, right)

    def negation(self, _: Token, of: Condition) -> Negation:
        return Negation(of)

    def comparison(self, left: Field | Value, operator: Token, right: Field | Value) -> Compare:
        match left, right:
            case Field(), Value():
                return Compare(left, str(operator), right)
            case Value(), Field() if operator not in ("=~", "!~"):
                return Compare(right, _SWAPPED.get(str(operator), str(operator)), left)
            case Value(kind="keyword", value=word), _:
                raise left.place.error(f"`{word}` is not a field")
            case _:
                raise _at(operator).error("compare one field with one value")

    def truth(self, operand: Field | Value) -> Condition:
        match operand:
            case Value(kind="bool", value=bool(value)):
                return Constant(value)
            case Field():
                return Compare(operand, "=", Value("bool", True, operand.place))
            case _:
                raise operand.place.error("a value alone is no condition")

    def attribute(self, token: Token) -> Field:
        scope, _, key = str(token).partition(".")
        if scope not in _SCOPES:
            raise _at(token).error(f"`{scope}.` attributes cannot be asked for")
        name = re.sub(r'"(?:[^"\\]|\\.)*"', lambda quoted: _unquoted(quoted[0]), key)
        return Field(_SCOPES[scope], name, str(token), _at(token))

    def word(self, token: Token) -> Field | Value:
        text = str(token)
        if text in ("true", "false"):
            return Value("bool", text == "true", _at(token))
        if text == "nil":
            return Value("nil", None, _at(token))
        if text in _KEYWORDS:
            return Value("keyword", text, _at(token))
        return Field("intrinsic", text, text, _at(token))

    def string(self, token: Token) -> Value:
        text = str(token)
        return Value("string", text[1:-1] if text.startswith("`") else _unquoted(text), _at(token))

    def duration(self, token: Token) -> Value:
        text = str(token)
        nano = sum(float(count) * _NANO[unit] for count, unit in _PART.findall(text))
        return Value("duration", -nano if text.startswith("-") else nano, _at(token))

    def number(self, token: Token) -> Value:
        return Value("number", float(token), _at(token))

    def stage(self, name: Token, *rest: Any) -> Stage:
        *arguments, grouping, operator, value = rest
        given = tuple(argument for argument in arguments if argument is not None)
        return Stage(str(name), given, grouping or (), operator and str(operator), value, _at(name))

    def grouping(self, _: Token, *fields: Field | Value) -> tuple[Field, ...]:
        for field in fields:
            if isinstance(field, Value):
                raise field.place.error("group by fields")
        return tuple(field for field in fields if isinstance(field, Field))

    def hints(self, *_: Any) -> None:
        return None


def _unquoted(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        value = re.sub(r"\\(.)", r"\1", text[1:-1])  # Go knows escapes that JSON does not
    return str(value)


_GRAMMAR: Final = Lark(
    (files(__package__) / "grammar.lark").read_text("utf-8"), parser="lalr", maybe_placeholders=True
)
_BUILD: Final = _Build()
