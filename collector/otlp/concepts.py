"""The promoted columns of spans and resources, read from attributes by vocabulary.py's synonyms. No I/O.

A value of a type that no convention names becomes text by its JSON; nothing that a sender writes raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import orjson

from bindtrace.collector.otlp.values import Json
from bindtrace.propagation.addresses import bare_host
from bindtrace.propagation.binding_header import Binding, parse
from bindtrace.propagation.concepts import (
    CAPTURED_BINDING_HEADER_KEYS,
    RESOURCE_CONCEPTS,
    SERVER_PORT_KEYS,
    SPAN_CONCEPTS,
    Concept,
    Form,
)

Column = str | int | None
Values = Mapping[str, Json]
Reader = Callable[[Json, str, Values], Column]
"""A raw value, its key and all values of its list, to the column; None where it says nothing usable."""

MAX_INTEGER: Final = 2**16 - 1
"""Integer concepts are small: a status, a hop, a count. What does not fit is null."""

_DEFAULT_PORTS: Final = {"http": "80", "ws": "80", "https": "443", "wss": "443"}


class _Use(NamedTuple):
    """One key's place: which column it feeds, how preferred it is there, and how it is read."""

    column: int
    rank: int
    read: Reader


class Concepts:
    """Reads one list of concepts; the columns come in the order of that list."""

    def __init__(self, concepts: Sequence[Concept]) -> None:
        self.columns: Final = tuple(concept.column for concept in concepts)
        self._uses: dict[str, list[_Use]] = {}
        for column, concept in enumerate(concepts):
            for rank, key in enumerate(concept.keys):
                use = _Use(column, rank, READERS[concept.form])
                self._uses.setdefault(key, []).append(use)

    def read(self, values: Values) -> list[Column]:
        """The best synonym with a usable value wins. Never raises."""
        columns: list[Column] = [None] * len(self.columns)
        ranks: dict[int, int] = {}
        for key in values:
            for column, rank, read in self._uses.get(key, ()):
                if rank < ranks.get(column, rank + 1):
                    value = read(values[key], key, values)
                    if value is not None:
                        columns[column] = value
                        ranks[column] = rank
        return columns


def span_columns(values: Values) -> list[Column]:
    """`SPAN_CONCEPTS` of one span's attributes, with the claims of a captured `Service-Binding` header."""
    columns = _SPAN.read(values)
    if columns[_CLAIMED_CALLER] is None:
        for key in CAPTURED_BINDING_HEADER_KEYS:
            if key in values:
                _claim(columns, values[key])
                break
    return columns


def resource_columns(values: Values) -> list[Column]:
    """`RESOURCE_CONCEPTS` of one resource's attributes."""
    return _RESOURCE.read(values)


def claims_of(captured: Json) -> Binding | None:
    """What a captured `Service-Binding` header says; None where it is not one."""
    lines = captured if isinstance(captured, list) else [captured]
    binding = parse([line for line in lines if isinstance(line, str)])
    return binding if isinstance(binding, Binding) else None


def _claim(columns: list[Column], captured: Json) -> None:
    if binding := claims_of(captured):
        for column, claim in CLAIMS.items():
            place = SPAN_COLUMNS.index(column)
            if columns[place] is None:
                columns[place] = getattr(binding, claim)


def _as_text(value: Json, _key: str = "", _values: Values | None = None) -> str | None:
    if isinstance(value, str):
        return value or None
    return None if value is None else orjson.dumps(value).decode()


def _first(value: Json, _key: str = "", _values: Values | None = None) -> str | None:
    if isinstance(value, list):
        value = value[0] if value else None
    return _as_text(value)


def _integer(value: Json, _key: str, _values: Values) -> int | None:
    match value:
        case bool():
            return None
        case int():
            number = value
        case str() if value.isascii() and value.isdigit() and len(value) <= 5:
            number = int(value)
        case float() if value.is_integer():
            number = int(value)
        case _:
            return None
    return number if 0 <= number <= MAX_INTEGER else None


def _address(value: Json, key: str, values: Values) -> str | None:
    text = _first(value, key, values)
    return bare_host(text) or None if text else None


def _authority(value: Json, key: str, values: Values) -> str | None:
    text = _first(value, key, values)
    if text is None:
        return None
    scheme, separator, rest = text.partition("://")
    if not separator:
        rest = text
        scheme = _first(values.get("url.scheme", values.get("http.scheme"))) or ""
    for end in "/?#":
        rest = rest.partition(end)[0]
    host, port = _host_and_port(rest.rpartition("@")[2])
    if not port and key in SERVER_PORT_KEYS:
        port = _first(values.get(SERVER_PORT_KEYS[key])) or ""
    if not host:
        return None
    usual = _DEFAULT_PORTS.get(scheme.lower())
    # Without a scheme 80 and 443 are taken for what they nearly always are.
    if not port.isdigit() or port == usual or (usual is None and not scheme and port in ("80", "443")):
        return host
    return f"{host}:{port}"


def _host_and_port(authority: str) -> tuple[str, str]:
    """Host as a URL writes it (an IPv6 address in brackets), and port or ''."""
    text = authority.strip().lower()
    if text.startswith("["):
        host, _, port = text.partition("]")
        return f"{host}]", port.removeprefix(":")
    if text.count(":") > 1:
        return f"[{text}]", ""
    host, _, port = text.partition(":")
    return host.rstrip("."), port


def _path(value: Json, key: str, values: Values) -> str | None:
    text = _first(value, key, values)
    if text is None:
        return None
    if not text.startswith("/"):
        if "://" not in text:
            return None
        rest = text.partition("://")[2]
        text = "/" + rest.partition("?")[0].partition("#")[0].partition("/")[2]
    return text.partition("?")[0].partition("#")[0]


def _scheme(value: Json, key: str, values: Values) -> str | None:
    text = _first(value, key, values)
    if text is None:
        return None
    scheme, separator, _ = text.partition("://")
    return scheme.lower() if separator or not key.endswith((".full", ".url")) else None


READERS: Final[dict[Form, Reader]] = {
    "text": _as_text,
    "first": _first,
    "integer": _integer,
    "address": _address,
    "authority": _authority,
    "path": _path,
    "scheme": _scheme,
}
_SPAN: Final = Concepts(SPAN_CONCEPTS)
_RESOURCE: Final = Concepts(RESOURCE_CONCEPTS)
SPAN_COLUMNS: Final = _SPAN.columns
CLAIMS: Final = {
    f"claimed_{claim}": claim for claim in ("caller", "callee", "chain", "hop", "env", "deployment")
}
_CLAIMED_CALLER: Final = SPAN_COLUMNS.index("claimed_caller")
