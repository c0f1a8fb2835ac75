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
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_STANDARD: Final = bytes(
    {ord("-"): ord("+"), ord("_"): ord("/")}.get(byte, byte) if byte in _ALPHABET else ord("!")
    for byte in range(256)
)
"""To the alphabet that Python decodes; all that is not base64url, padding too, becomes what it refuses."""
_PADDING: Final = (b"", b"", b"==", b"=")
_LAST: Final = ("", "", _ALPHABET[::16].decode("ascii"), _ALPHABET[::4].decode("ascii"))
"""By the number of letters over four: those that may be last, as their unused bits are zero."""
_NO_BASE64URL: Final = Absent("base64url")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def b64url(content: bytes) -> str:
    """Unpadded base64url (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def sha256_b64url(content: bytes) -> str:
    return b64url(hashlib.sha256(content).digest())


def decode_b64url(text: str) -> bytes | Absent:
    """The bytes of unpadded base64url whose unused bits are zero; anything else is `Absent("base64url")`."""
    over = len(text) % 4
    if over == 1 or (over and text[-1] not in _LAST[over]):
        return _NO_BASE64URL
    try:
        plain = text.encode("ascii").translate(_STANDARD) + _PADDING[over]
        return binascii.a2b_base64(plain, strict_mode=True)
    except ValueError:
        return _NO_BASE64URL


def read_object(content: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any] | Absent:
    """A JSON object within the limits, or `Absent("json")`.

    UTF-8 without a mark, no member twice, integers below 2^53 only, no surrogates, at most `max_depth` levels.
    """
    try:
        text = content.decode("utf-8")
        value = _DECODER.decode(text)
        if not isinstance(value, dict) or _too_deep(value, max_depth):
            return Absent("json")
        if "\\u" in text and _half_letters(value):  # UTF-8 has none, so one can only be escaped
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


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_members,
    parse_int=_integer,
    parse_float=_no_number,
    parse_constant=_no_number,
)
"""Made once: `json.loads` makes one for each text that it reads with hooks."""


def _too_deep(value: dict[str, Any] | list[Any], levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value
    return levels < 1 or any(_too_deep(item, levels - 1) for item in inner if isinstance(item, dict | list))


def _half_letters(value: Any) -> bool:
    if isinstance(value, str):
        return _SURROGATE.search(value) is not None
    if not isinstance(value, dict | list):
        return False
    return any(map(_half_letters, [*value, *value.values()] if isinstance(value, dict) else value))
