"""What a TraceQL query says, as values. No parsing and no SQL here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scope = Literal["span", "resource", "any", "event", "link", "instrumentation", "intrinsic"]
Kind = Literal["string", "number", "duration", "bool", "nil", "keyword"]


class TraceQLError(ValueError):
    """A query that cannot be answered; the text says what and where (line and column from 1)."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"TraceQL, line {line}, column {column}: {message}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written, from 1."""

    line: int
    column: int

    def error(self, message: str) -> TraceQLError:
        return TraceQLError(message, self.line, self.column)


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute (`span.http.method`, `.http.method`) or an intrinsic (`name`, `trace:duration`)."""

    scope: Scope
    name: str
    written: str
    place: Place


@dataclass(frozen=True, slots=True)
class Value:
    """A literal. A duration is nanoseconds; `nil` has no value; a keyword is `error`, `server`, …"""

    kind: Kind
    value: str | float | bool | None
    place: Place


@dataclass(frozen=True, slots=True)
class Compare:
    field: Field
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class Constant:
    """`{ true }`."""

    value: bool


@dataclass(frozen=True, slots=True)
class Negation:
    of: Condition


@dataclass(frozen=True, slots=True)
class Logic:
    operator: str  # && or ||
    left: Condition
    right: Condition


Condition = Compare | Constant | Negation | Logic


@dataclass(frozen=True, slots=True)
class Filter:
    """`{ … }`; without a condition it takes every span."""

    condition: Condition | None


@dataclass(frozen=True, slots=True)
class Combined:
    """`&&`: of traces that have both; `||`: of traces that have either."""

    operator: str
    left: SpanSet
    right: SpanSet


@dataclass(frozen=True, slots=True)
class Related:
    """A relation in the tree: `>` child, `>>` descendant, `<` parent, `<<` ancestor, `~` sibling; `!` not, `&` both."""

    operator: str
    left: SpanSet
    right: SpanSet
    place: Place


SpanSet = Filter | Combined | Related


@dataclass(frozen=True, slots=True)
class Stage:
    """`| name(arguments) by (grouping) operator value`."""

    name: str
    arguments: tuple[Field | Value, ...]
    grouping: tuple[Field, ...]
    operator: str | None
    value: Value | None
    place: Place


@dataclass(frozen=True, slots=True)
class TraceQL:
    """A whole query. Hints (`with(…)`) are read and not kept: none of them changes what is true."""

    spans: SpanSet
    stages: tuple[Stage, ...]
