"""Counts what a request would become before anything is built of it: an iterative walk over tags, no objects, no I/O.

An empty span is two bytes on the wire and 200 in memory. Bodies below `FREE_BYTES` cannot hold enough of anything to
matter, so ordinary requests are not walked at all (512 spans of the bench recipe are 284 KB); of larger ones the
spans are counted (1.5 us a span), and the attributes (50 us a span) only where the bytes could begin too many.
"""

from __future__ import annotations

import re

from bindtrace.collector.otlp.limits import MAX_JSON_DEPTH, MAX_JSON_NODES, MAX_LEAVES, MAX_SPANS, too_many
from bindtrace.collector.otlp.undecodable import Undecodable

FREE_BYTES = 512 * 1024
_LEAF_BYTES = 2
_LEAF_TAGS = (b"\x0a", b"\x1a", b"\x22", b"\x4a", b"\x5a", b"\x6a", b"\0")
"""Last bytes of the tags that begin a leaf; 0 ends any tag that is written longer than it need be."""
_MAX_FIELDS = 3_000_000

# Message -> field number -> message of that field. A leaf is one entry of a repeated field that is counted.
_BELOW: dict[str, dict[int, str]] = {
    "request": {1: "resource_spans"},
    "resource_spans": {1: "resource", 2: "scope_spans", 1000: "scope_spans"},
    "scope_spans": {1: "scope", 2: "span"},
    "resource": {1: "pair", 3: "entity"},
    "scope": {3: "pair"},
    "span": {9: "pair", 11: "event", 13: "link"},
    "event": {3: "pair"},
    "link": {4: "pair"},
    "pair": {2: "value"},
    "value": {5: "array", 6: "pairs"},
    "array": {1: "element"},
    "element": {5: "array", 6: "pairs"},
    "pairs": {1: "pair"},
    "entity": {},
}
_LEAVES = frozenset(
    ("pair", "event", "link", "element", "entity", "resource_spans", "scope_spans", "metric", "point", "bucketed",
     "exponential", "exemplar", "quantile")
)  # fmt: skip
_LEAN = {"request": {1: "resource_spans"}, "resource_spans": {2: "scope_spans", 1000: "scope_spans"},
         "scope_spans": {2: "span"}}  # fmt: skip
# Logs stand as spans do, request, resource, scope; of a record (LogRecord) body and attributes are looked into.
_LOGS = {**_BELOW, "span": {5: "value", 6: "pair"}}
# Metrics too; a sum's or gauge's point, a histogram's, an exponential one's and a summary's have attributes elsewhere.
_METRICS = {
    **{
        kind: _BELOW[kind]
        for kind in ("request", "resource", "scope", "pair", "value", "array", "element", "pairs")
    },
    "resource_spans": {1: "resource", 2: "scope_spans"},
    "scope_spans": {1: "scope", 2: "metric"},
    "metric": {5: "points", 7: "points", 9: "histogram", 10: "exponentials", 11: "summary", 12: "pair"},
    "points": {1: "point"},
    "histogram": {1: "bucketed"},
    "exponentials": {1: "exponential"},
    "summary": {1: "point"},
    "point": {5: "exemplar", 6: "quantile", 7: "pair"},
    "bucketed": {8: "exemplar", 9: "pair"},
    "exponential": {1: "pair", 11: "exemplar"},
    "exemplar": {7: "pair"},
}
_MAX_NESTED = 100


def protobuf_fault(body: bytes) -> Undecodable | None:
    """What is too much in the body; None too where its bytes are no protobuf, which the decoder says better."""
    if len(body) <= FREE_BYTES:
        return None
    possible = len(body) // _LEAF_BYTES
    if possible > MAX_LEAVES:
        possible = min(possible, sum(map(body.count, _LEAF_TAGS)))
    return _walk(body, _BELOW if possible > MAX_LEAVES else _LEAN)


def logs_fault(body: bytes) -> Undecodable | None:
    """The same for an OTLP logs request, whose records are counted as spans."""
    return None if len(body) <= FREE_BYTES else _walk(body, _LOGS)


def metrics_fault(body: bytes) -> Undecodable | None:
    """The same for an OTLP metrics request, whose points are counted as values."""
    return None if len(body) <= FREE_BYTES else _walk(body, _METRICS)


def _walk(body: bytes, below: dict[str, dict[int, str]]) -> Undecodable | None:
    spans = leaves = 0
    at, end, fields = 0, len(body), below["request"]
    open_ends: list[tuple[int, dict[int, str]]] = []
    try:
        for _ in range(_MAX_FIELDS):
            while at >= end:
                if not open_ends:
                    return None
                end, fields = open_ends.pop()
            tag = body[at]
            at += 1
            if tag > 127:
                tag, at = _varint(body, at - 1)
            if tag < 8:
                return None
            wire = tag & 7
            if wire == 2:
                size = body[at]
                at += 1
                if size > 127:
                    size, at = _varint(body, at - 1)
                inner = fields.get(tag >> 3)
                if inner is None:
                    at += size
                    continue
                if inner == "span":
                    spans += 1
                    if spans > MAX_SPANS:
                        return too_many("spans", MAX_SPANS)
                elif inner in _LEAVES:
                    leaves += 1
                    if leaves > MAX_LEAVES:
                        return too_many("values", MAX_LEAVES)
                inside = below.get(inner)
                if not inside:
                    at += size
                elif size:
                    if len(open_ends) > _MAX_NESTED:
                        return None
                    open_ends.append((end, fields))
                    end, fields = min(at + size, end), inside
            elif wire == 0:
                _, at = _varint(body, at)
            elif wire == 1:
                at += 8
            elif wire == 5:
                at += 4
            else:
                return None
    except IndexError:
        return None
    return too_many("fields", _MAX_FIELDS)


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError


_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)


def json_fault(body: bytes) -> Undecodable | None:
    """The same for JSON, by its brackets: of small bodies the depth, of larger ones their number too."""
    nodes = body.count(b"{") + body.count(b"[")
    if nodes <= MAX_JSON_DEPTH:
        return None
    brackets = body.translate(None, _NOT_BRACKETS)
    if nodes > MAX_JSON_NODES or _deeper(brackets):  # perhaps only by brackets within texts
        brackets = _STRING.sub(b"", body).translate(None, _NOT_BRACKETS)
        if brackets.count(b"{") + brackets.count(b"[") > MAX_JSON_NODES:
            return too_many("objects and lists", MAX_JSON_NODES)
        if _deeper(brackets):
            return Undecodable(f"the JSON is nested deeper than {MAX_JSON_DEPTH}")
    return None


def _deeper(brackets: bytes) -> bool:
    """Whether something is left when the innermost pairs are taken out as often as may be nested."""
    for _ in range(MAX_JSON_DEPTH):
        if not brackets:
            return False
        shorter = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(shorter) == len(brackets):
            return len(brackets) > MAX_JSON_DEPTH
        brackets = shorter
    return bool(brackets)
