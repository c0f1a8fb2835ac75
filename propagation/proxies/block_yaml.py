"""Plain values as block YAML that a person reads and changes. Strings are quoted as in JSON, which YAML reads too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

_PLAIN: Final = re.compile(r"[A-Za-z_@/][A-Za-z0-9_./@-]*", re.ASCII)
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def dumped(value: dict[str, Any]) -> str:
    """A document; mappings keep their order."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _entry(f"{_scalar(key)}:", inner)
    else:
        for inner in value:
            first = True
            for line in _lines(inner) if isinstance(inner, dict | list) and inner else [_scalar(inner)]:
                yield f"{'- ' if first else '  '}{line}"
                first = False


def _entry(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        yield key
        yield from (f"  {line}" for line in _lines(value))
    else:
        yield f"{key} {_scalar(value)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS and value[0] != "@":
        return value
    return json.dumps(value)
