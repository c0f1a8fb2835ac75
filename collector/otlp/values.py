"""OTLP attribute lists to plain values that JSON can hold, with what it cannot set apart, and back. No I/O.

JSON has no bytes, no empty value, no NaN and no infinity, and an object has each key once. An attribute with
such a value keeps its nearest JSON form, for questions, and goes whole into the residue, for exactness. A list
with a key twice goes into the residue whole.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

Json = str | bool | int | float | None | list[Any] | dict[str, Any]


def to_values(pairs: Sequence[KeyValue]) -> tuple[dict[str, Json], list[KeyValue]]:
    """Values by key in received order, a repeated key's last; and the residue: what they misrepresent."""
    values: dict[str, Json] = {}
    residue: list[KeyValue] = []
    for pair in pairs:
        value = pair.value
        match value.WhichOneof("value"):
            case "string_value":
                values[pair.key] = value.string_value
            case "int_value":
                values[pair.key] = value.int_value
            case "bool_value":
                values[pair.key] = value.bool_value
            case _:
                values[pair.key], faithful = to_value(value)
                if not faithful:
                    residue.append(pair)
                    continue
        if pair.key_strindex:
            residue.append(pair)
    return values, residue if len(values) == len(pairs) else list(pairs)


def to_value(value: AnyValue) -> tuple[Json, bool]:
    """The JSON form of one value, and whether it reads back exactly."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value, True
        case "int_value":
            return value.int_value, True
        case "bool_value":
            return value.bool_value, True
        case "double_value":
            number = value.double_value
            return (number, True) if isfinite(number) else (_name(number), False)
        case "array_value":
            items = [to_value(item) for item in value.array_value.values]
            return [item for item, _ in items], all(faithful for _, faithful in items)
        case "kvlist_value":
            inner, residue = to_values(value.kvlist_value.values)
            return inner, not residue
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode(), False
        case _:
            return None, False


def to_pairs(values: Mapping[str, Json], residue: Sequence[KeyValue]) -> list[KeyValue]:
    """The inverse of `to_values`."""
    exact = {pair.key: pair for pair in residue}
    if len(exact) < len(residue):
        return list(residue)
    return [exact[key] if key in exact else _pair(key, value) for key, value in values.items()]


def _pair(key: str, value: Json) -> KeyValue:
    pair = KeyValue(key=key)
    _write(pair.value, value)
    return pair


def _write(target: AnyValue, value: Json) -> None:
    match value:
        case str():
            target.string_value = value
        case bool():
            target.bool_value = value
        case int():
            target.int_value = value
        case float():
            target.double_value = value
        case list():
            target.array_value.SetInParent()
            for item in value:
                _write(target.array_value.values.add(), item)
        case dict():
            target.kvlist_value.SetInParent()
            _write_all(target.kvlist_value.values, value)


def _write_all(target: Any, values: Mapping[str, Json]) -> None:
    for key, value in values.items():
        pair = target.add()
        pair.key = key
        _write(pair.value, value)


def _name(number: float) -> str:
    if number != number:
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"
