"""Strict base64url and JSON, as tokens need them: one spelling for each value. No I/O here.

Python's own decoders take padding in odd places, stray bits, duplicate members and NaN; a check that reads
one value and a library that reads another is how tokens are confused (RFC 8725 section 2).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from typing import Any, Final, NoReturn

from bindtrace.propagation.absent import Absent

MAX_DEPTH: Final = 4
MAX_INTEGER: Final = 2**53
_ALPHABET: Final = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


def b64url(content: bytes) -> str:
    """Unpadded base64url (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def sha256_b64url(content: bytes) -> str:
    return b64url(hashlib.sha256(content).digest())


def decode_b64url(text: str) -> bytes | Absent:
    """The bytes of unpadded base64url whose unused bits are zero; anything else is `Absent("base64url")`."""
    if not _ALPHABET.fullmatch(text) or len(text) % 4 == 1:
        return Absent("base64url")
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return Absent("base64url")
    return content if b64url(content) == text else Absent("base64url")


def read_object(content: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any] | Absent:
    """A JSON object within the limits, or `Absent("json")`.

    UTF-8 without a mark, no member twice, integers below 2^53 only, no surrogates, at most `max_depth` levels.
    """
    try:
        text = content.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_members,
            parse_int=_integer,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
        if not isinstance(value, dict) or _too_odd(value, max_depth):
            return Absent("json")
    except (ValueError, RecursionError):
        return Absent("json")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def _integer(text: str) -> int:
    if len(text) > 17 or text == "-0" or abs(int(text)) > MAX_INTEGER:
        raise ValueError("an integer is out of range")
    return int(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError("a number is not an integer")


def _too_odd(value: Any, levels: int) -> bool:
    if isinstance(value, str):
        return any("\ud800" <= letter <= "\udfff" for letter in value)
    if not isinstance(value, dict | list):
        return False
    inner = [*value, *value.values()] if isinstance(value, dict) else value
    return levels < 1 or any(_too_odd(item, levels - 1) for item in inner)
