"""How a text is compared with what a policy writes: exact, by prefix, by path template, by address. No I/O.

Texts come from callers, so no comparison takes more than the square of their length.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

MatchKind = Literal["exact", "prefix", "suffix", "contains", "present", "template", "regex", "cidr", "range"]
_MAX_TEXT: Final = 2048
_ATOMS: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_UNBOUNDED: Final = re.compile(r"[*+]|\{[0-9]*,[0-9]*\}")
_REPEATED_GROUP: Final = re.compile(r"\)(?:[*+]|\{)")
_BEYOND: Final = re.compile(r"\\(?:[1-9]|k<|[pPQCEzAZbBG])|\(\?(?!:)")


@dataclass(frozen=True, slots=True)
class Matcher:
    """One way a text may be. `template` is Istio's: `{*}` one segment of a path, `{**}` any number of them."""

    kind: MatchKind
    text: str = ""
    ignore_case: bool = False

    def __str__(self) -> str:
        return _SHAPES.get(self.kind, "{}").format(self.text)


def can_follow(regex: str) -> bool:
    """Whether a regular expression is evaluated; one that is not makes its test unknown."""
    return _compiled(regex) is not None


def is_network(text: str) -> bool:
    """Whether a text is an address or a range of addresses."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def matches(matcher: Matcher, value: str) -> bool | None:
    """Whether `value` is as the matcher says; None where its regular expression is not followed."""
    text = matcher.text
    if matcher.ignore_case:
        text, value = text.lower(), value.lower()
    return _MATCHES[matcher.kind](text, value)


def _regex(pattern: str, value: str) -> bool | None:
    compiled = _compiled(pattern)
    if compiled is None or len(value) > _MAX_TEXT:
        return None
    return compiled.fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Only what Python and RE2 read alike, and what takes no more than the square of a text's length."""
    bare = _ATOMS.sub("x", pattern)
    if (
        len(pattern) > _MAX_TEXT
        or _BEYOND.search(pattern)
        or _REPEATED_GROUP.search(bare)
        or len(_UNBOUNDED.findall(bare)) > 2
    ):
        return None
    try:
        return re.compile(pattern, re.ASCII)
    except (re.error, OverflowError, RecursionError):
        return None


def _template(template: str, path: str) -> bool | None:
    """`{**}` stands once at most (istio/api: security/v1beta1), so a template is a head and a tail of segments."""
    wanted, segments = template.split("/"), path.split("/")
    if "{**}" not in wanted:
        return len(wanted) == len(segments) and all(map(_segment, wanted, segments))
    at = wanted.index("{**}")
    head, tail = wanted[:at], wanted[at + 1 :]
    return (
        len(segments) >= len(head) + len(tail)
        and all(map(_segment, head, segments))
        and all(map(_segment, reversed(tail), reversed(segments)))
    )


def _segment(wanted: str, segment: str) -> bool:
    return bool(segment) if wanted == "{*}" else wanted == segment


def _cidr(network: str, value: str) -> bool | None:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _range(limits: str, value: str) -> bool | None:
    """`FIRST-END` of whole numbers, without END, as Envoy's Int32Range."""
    first, _, end = limits.partition("-")
    return value.isdecimal() and len(value) < 10 and int(first) <= int(value) < int(end)


_MATCHES: Final[Mapping[MatchKind, Callable[[str, str], bool | None]]] = {
    "exact": lambda text, value: value == text,
    "prefix": lambda text, value: value.startswith(text),
    "suffix": lambda text, value: value.endswith(text),
    "contains": lambda text, value: text in value,
    "present": lambda text, value: bool(value),
    "template": _template,
    "regex": _regex,
    "cidr": _cidr,
    "range": _range,
}

_SHAPES: Final[Mapping[MatchKind, str]] = {
    "exact": "{}",
    "prefix": "{}*",
    "suffix": "*{}",
    "contains": "*{}*",
    "present": "*",
    "regex": "~{}",
}
