"""Where each TraceQL field stands in the database: one table of intrinsics, one rule for attributes. Runs nothing.

Row names in the SQL: `s` a span, `r` its resource, `c` its instrumentation scope, `j` the judgement of the call that
it saw, `t` its trace. A promoted column answers for every spelling of its concept (propagation/vocabulary.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from bindtrace.propagation.concepts import RESOURCE_CONCEPTS, SPAN_CONCEPTS
from bindtrace.propagation.vocabulary import JUDGEMENTS
from bindtrace.queries.traceql.syntax import Field

Kind = Literal["text", "number", "json", "texts"]
Row = Literal["r", "c", "j", "t"]


@dataclass(frozen=True, slots=True)
class Expression:
    """SQL for a field's value. `texts`: a list, of which any element may match. `rows`: what it needs beside `s`.

    `words` are the numbers that keywords stand for; `attributes` the JSON texts that it is taken from.
    """

    sql: str
    kind: Kind
    rows: tuple[Row, ...] = ()
    words: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()


KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES: Final = ("unset", "ok", "error")

_DURATION: Final = "greatest(s.end_time_unix_nano::hugeint - s.start_time_unix_nano, 0)"
_INTRINSICS: Final[dict[str, Expression]] = {
    "name": Expression("s.name", "text"),
    "kind": Expression("s.kind", "number", words=KINDS),
    "status": Expression("s.status_code", "number", words=STATUSES),
    "statusMessage": Expression("coalesce(s.status_message, '')", "text"),
    "duration": Expression(_DURATION, "number"),
    "span:id": Expression("span_hex(s.span_id)", "text"),
    "span:parentID": Expression("span_hex(s.parent_span_id)", "text"),
    "trace:id": Expression("trace_hex(s.trace_id)", "text"),
    "traceDuration": Expression("t.duration_nano", "number", ("t",)),
    "rootName": Expression("t.root_name", "text", ("t",)),
    "rootServiceName": Expression("t.root_service", "text", ("t",)),
    # Tempo numbers the spans of a tree; of those numbers only the root's -1 is asked for
    "nestedSetParent": Expression("case when s.parent_span_id is null then -1 else 1 end", "number"),
    "event:name": Expression("json_extract_string(s.events, '$[*].name')", "texts"),
    "link:traceID": Expression("json_extract_string(s.links, '$[*].trace_id')", "texts"),
    "link:spanID": Expression("json_extract_string(s.links, '$[*].span_id')", "texts"),
    "instrumentation:name": Expression("c.name", "text", ("c",)),
    "instrumentation:version": Expression("c.version", "text", ("c",)),
}
_SAME: Final = {
    "span:name": "name",
    "span:kind": "kind",
    "span:status": "status",
    "span:statusMessage": "statusMessage",
    "span:duration": "duration",
    "trace:duration": "traceDuration",
    "trace:rootName": "rootName",
    "trace:rootService": "rootServiceName",
}
INTRINSICS: Final = tuple(_INTRINSICS)

# A concept whose column holds the value as it was sent; the others (hosts, paths, …) are read from the attributes.
_SPAN_COLUMNS: Final = {
    key: concept for concept in SPAN_CONCEPTS if concept.form in ("text", "integer") for key in concept.keys
}
_RESOURCE_COLUMNS: Final = {
    concept.keys[0]: concept.column
    for concept in RESOURCE_CONCEPTS
    if concept.column in ("service", "environment", "deployment", "scope")
}

Bind = Callable[[object], str]


def expression(field: Field, bind: Bind) -> Expression:
    """Where the field's value stands; `bind` gives the placeholder of a value. Raises `TraceQLError`."""
    match field.scope:
        case "intrinsic":
            return _intrinsic(field)
        case "span":
            return _of_span(field.name, bind)
        case "resource":
            return _of_resource(field.name, bind)
        case "any":
            return _either(_of_span(field.name, bind), _of_resource(field.name, bind))
        case "event":
            return Expression(f"json_extract_string(s.events, {bind(_wild(field.name))})", "texts")
        case "link":
            return Expression(f"json_extract_string(s.links, {bind(_wild(field.name))})", "texts")
        case "instrumentation":
            return _json("c.attributes", bind(pointer(field.name)), "c")


def pointer(key: str) -> str:
    """The JSON pointer (RFC 6901) to a key of an object."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _intrinsic(field: Field) -> Expression:
    found = _INTRINSICS.get(_SAME.get(field.name, field.name))
    if found is None:
        raise field.place.error(
            f"`{field.name}` is not known; an attribute is written `span.{field.name}`, `resource.{field.name}` "
            f"or `.{field.name}`, and intrinsics are {', '.join(INTRINSICS)}"
        )
    return found


def _of_span(key: str, bind: Bind) -> Expression:
    word = key.removeprefix("bindtrace.")
    if word != key and word in JUDGEMENTS:
        return Expression(f"j.{word}", "text", ("j",))
    if (concept := _SPAN_COLUMNS.get(key)) is not None:
        return Expression(f"s.{concept.column}", "number" if concept.form == "integer" else "text")
    return _json("s.attributes", bind(pointer(key)))


def _of_resource(key: str, bind: Bind) -> Expression:
    if (column := _RESOURCE_COLUMNS.get(key)) is not None:
        return Expression(f"r.{column}", "text", ("r",))
    return _json("r.attributes", bind(pointer(key)), "r")


def _json(attributes: str, path: str, *rows: Row) -> Expression:
    return Expression(f"json_extract({attributes}, {path})", "json", rows, attributes=(attributes,))


def _either(span: Expression, resource: Expression) -> Expression:
    """The span's value, else its resource's. Where both are JSON it stays JSON, else it is compared as text."""
    rows = tuple(dict.fromkeys((*span.rows, *resource.rows)))
    if span.kind == resource.kind == "json":
        both = (*span.attributes, *resource.attributes)
        return Expression(f"coalesce({span.sql}, {resource.sql})", "json", rows, attributes=both)
    if span.kind == "number":
        return span
    return Expression(f"coalesce({_text(span)}, {_text(resource)})", "text", rows)


def _text(of: Expression) -> str:
    return f"json_extract_string({of.sql}, '$')" if of.kind == "json" else of.sql


def _wild(key: str) -> str:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'$[*].attributes."{escaped}"'
