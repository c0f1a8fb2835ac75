"""A TraceQL condition as a SQL condition over one span's row. Every value is bound; nothing runs here.

A field that a span does not have matches no comparison but `= nil`: SQL's null does just that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from bindtrace.queries.rules import RULES
from bindtrace.queries.traceql.fields import Expression, Row, expression
from bindtrace.queries.traceql.syntax import Compare, Condition, Constant, Field, Logic, Negation, Value

FINDING: Final = "bindtrace.finding"
_OPERATORS: Final = {"=": "=", "!=": "<>", ">": ">", "<": "<", ">=": ">=", "<=": "<="}
_PATTERNS: Final = {"=~": "regexp_full_match({}, {})", "!~": "not regexp_full_match({}, {})"}


@dataclass(slots=True)
class Values:
    """The values of one statement by placeholder, and which rows beside the span's it reads."""

    bound: dict[str, Any] = field(default_factory=dict)
    rows: set[Row] = field(default_factory=set)
    findings: set[str] = field(default_factory=set)
    """Rules of which it matters whether a call breaks them: a rule that nobody asks for is not run."""

    def bind(self, value: object) -> str:
        name = f"v{len(self.bound)}"
        self.bound[name] = value
        return f"${name}"

    def read(self, of: Field, finding: str | None = None) -> Expression:
        """The field's SQL, noting what it reads; `finding`: the one rule that matters. Raises `TraceQLError`."""
        found = expression(of, self.bind)
        self.rows.update(found.rows)
        if of.name == FINDING:
            self.findings.update(RULES if finding is None else {finding})
        return found


def condition_sql(condition: Condition | None, values: Values) -> str:
    """A SQL condition. Raises `TraceQLError` for what cannot be compared."""
    match condition:
        case None:
            return "true"
        case Constant(value=value):
            return "true" if value else "false"
        case Negation(of=of):
            return f"not coalesce({condition_sql(of, values)}, false)"
        case Logic(operator=operator, left=left, right=right):
            word = "and" if operator == "&&" else "or"
            return f"({condition_sql(left, values)} {word} {condition_sql(right, values)})"
        case Compare():
            return _compare(condition, values)


def compared_fields(condition: Condition | None) -> tuple[Field, ...]:
    """Every field that the condition names, once, in order."""
    match condition:
        case Compare(field=named):
            return (named,)
        case Negation(of=of):
            return compared_fields(of)
        case Logic(left=left, right=right):
            both = (*compared_fields(left), *compared_fields(right))
            return tuple({named.written: named for named in both}.values())
        case _:
            return ()


def _compare(compare: Compare, values: Values) -> str:
    operator, value = compare.operator, compare.value
    named = operator == "=" and value.kind == "string"
    left = values.read(compare.field, finding=str(value.value) if named else None)
    if value.kind == "nil":
        if operator not in ("=", "!="):
            raise value.place.error(f"`{operator}` does not go with nil")
        return f"{left.sql} is {'' if operator == '=' else 'not '}null"
    if left.kind == "texts":
        one = _text(operator, "one", value, values)
        return f"coalesce(len(list_filter({left.sql}, lambda one: {one})) > 0, false)"
    if value.kind == "keyword":
        return _keyword(left, operator, value, values)
    if value.kind in ("number", "duration"):
        return _number(left, operator, value, values)
    if left.kind == "json":
        return _json_text(left, operator, value, values)
    return _text(operator, f"{left.sql}::varchar" if left.kind == "number" else left.sql, value, values)


def _text(operator: str, left: str, value: Value, values: Values) -> str:
    text = _written(value)
    if operator in _PATTERNS:
        return _PATTERNS[operator].format(left, values.bind(text))
    return f"{left} {_OPERATORS[operator]} {values.bind(text)}"


def _written(value: Value) -> str:
    if isinstance(value.value, bool):
        return "true" if value.value else "false"
    if isinstance(value.value, float):
        return f"{value.value:g}"
    return str(value.value)


def _number(left: Expression, operator: str, value: Value, values: Values) -> str:
    if operator in _PATTERNS:
        raise value.place.error(f"`{operator}` compares with text")
    assert isinstance(value.value, float)
    # Envoy sends every tag as a string, so "200" counts as a number too
    number = {
        "number": left.sql,
        "json": f"try_cast(json_extract_string({left.sql}, '$') as double)",
    }.get(left.kind, f"try_cast({left.sql} as double)")
    bound = int(value.value) if value.value.is_integer() else value.value
    return f"{number} {_OPERATORS[operator]} {values.bind(bound)}"


def _keyword(left: Expression, operator: str, value: Value, values: Values) -> str:
    word = str(value.value)
    if word not in left.words:
        known = ", ".join(left.words) or "text in quotes"
        raise value.place.error(f"`{word}` is not a value of this field; it takes {known}")
    if operator not in ("=", "!="):
        raise value.place.error(f"`{operator}` does not go with a keyword")
    return f"{left.sql} {_OPERATORS[operator]} {values.bind(left.words.index(word))}"


def _json_text(left: Expression, operator: str, value: Value, values: Values) -> str:
    """Of an array, such as a captured header, any element may match."""
    own = _text(operator, f"json_extract_string({left.sql}, '$')", value, values)
    element = _text(operator, "one", value, values)
    matches = f"""case json_type({left.sql})
        when 'ARRAY' then len(list_filter(json_extract_string({left.sql}, '$[*]'), lambda one: {element})) > 0
        else {own}
    end"""
    text = json.dumps(_written(value), ensure_ascii=False)[1:-1]
    if operator == "=" and "\\" not in text and left.attributes:
        # most spans do not hold the text at all, and a search for it costs less than to parse the JSON
        bound = values.bind(text)
        holds = " or ".join(f"contains({attributes}, {bound})" for attributes in left.attributes)
        return f"(({holds}) and {matches})"
    return f"({matches})"
