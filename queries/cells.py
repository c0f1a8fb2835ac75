"""How one value is written for a person: times, durations, names, and no control characters. No terminal here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from bindtrace.propagation.vocabulary import EXTERNAL as EXTERNAL
from bindtrace.propagation.vocabulary import UNSEEN as UNSEEN

# C0, DEL and C1 drive terminals; the bidirectional, invisible and separator ones make a name look like another.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def visible(value: object) -> str:
    """The text with every character that a terminal would obey, or hide, written as `\\x1b` or `\\u202e`."""
    return _UNPRINTABLE.sub(_escaped, str(value))


def json_safe(text: str) -> str:
    """JSON text whose remaining unprintable characters are escaped; it parses to the same value."""
    return _UNPRINTABLE.sub(lambda match: match[0] if match[0] == "\n" else json.dumps(match[0])[1:-1], text)


def count(value: Any) -> str:
    """A number with separators between its thousands."""
    return "" if value is None else f"{int(value):,}"


def milliseconds(value: Any) -> str:
    """A duration with three significant digits in the unit that suits it; the input is milliseconds."""
    if value is None:
        return ""
    ms = float(value)
    for bound, text in (
        (1e-9, "0"),
        (0.9995, f"{ms * 1000:.0f}µs"),
        (9.995, f"{ms:.2f}ms"),
        (99.95, f"{ms:.1f}ms"),
        (999.5, f"{ms:.0f}ms"),
        (59_995, f"{ms / 1000:.2f}s"),
    ):
        if ms < bound:
            return text
    minutes, seconds = divmod(round(ms / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{seconds:02d}s"


def moment(value: Any) -> str:
    """Unix nanoseconds as a UTC time to the second."""
    return "" if value is None else _utc(value).strftime("%Y-%m-%d %H:%M:%S")


def exact_moment(value: Any) -> str:
    """Unix nanoseconds as a UTC time to the millisecond."""
    return "" if value is None else _utc(value).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def caller(row: Mapping[str, Any]) -> str:
    """The caller's name; without one the call came from outside or nobody saw who made it."""
    return visible(row.get("caller") or EXTERNAL)


def callee(row: Mapping[str, Any]) -> str:
    return visible(row.get("callee") or UNSEEN)


def verdict(row: Mapping[str, Any]) -> str:
    """The word for what is thought of a call: its verdict, which its witnesses may contradict."""
    word = plain(row.get("verdict"))
    return "contradicted" if word != "denied" and row.get("grade") == "contradicted" else word


def place(source: Mapping[str, Any]) -> str:
    """`FILE:LINE`, or the file where no line is known; empty without a file."""
    file, line = source.get("file"), source.get("line")
    return "" if not file else visible(file if line is None else f"{file}:{line}")


def plain(value: Any) -> str:
    """Any JSON value on one line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        return visible(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    return visible(value)


def _utc(unix_nano: Any) -> datetime:
    return datetime.fromtimestamp(int(unix_nano) / 1e9, UTC)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
