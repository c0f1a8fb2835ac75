"""What one request may hold, and what is said of one that holds more. Values only."""

from __future__ import annotations

from bindtrace.collector.otlp.undecodable import Undecodable

MAX_SPANS = 50_000
MAX_LEAVES = 1_000_000
"""Attributes, array elements, events and links of one request."""
MAX_JSON_NODES = 1_000_000
"""Objects and lists of a JSON request: each costs about 200 bytes while it is read."""
MAX_JSON_DEPTH = 128
"""Below what orjson and protobuf refuse themselves. An attribute value nested 32 deep is at most 114 deep in JSON."""
# Depth in protobuf is limited by upb: 100 messages, which is 32 key-value lists or 47 arrays within one another.


def too_many(what: str, limit: int) -> Undecodable:
    return Undecodable(f"the request holds more than {limit} {what}: send less at a time")
