"""Values as OTLP's AnyValue in JSON, as the Tempo API answers them. No I/O."""

from __future__ import annotations

from typing import Any


def any_value(value: object) -> dict[str, Any]:
    """`{"stringValue": …}` and its like; 64-bit integers as decimal strings, as proto-JSON has them."""
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case None:
            return {"stringValue": "nil"}
        case list():
            return {"arrayValue": {"values": [any_value(item) for item in value]}}
        case _:
            return {"stringValue": str(value)}
