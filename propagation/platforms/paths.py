"""Path patterns of manifests as regular expressions over a whole path. Text in, text out.

Results stay in the common part of Python's `re` and RE2 (which SQL uses): what RE2 lacks is taken out, and said.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Final, NamedTuple

# path-to-regexp 6 with {strict: true, sensitive: true, delimiter: "/"}, as Vercel's routing-utils calls it.
_TOKENS = re.compile(
    r"(?P<modifier>[*+?])|\\(?P<escaped>.)|(?P<open>\{)|(?P<close>\})|:(?P<name>[A-Za-z0-9_]+)"
    r"|(?P<pattern>\()|(?P<char>.)",
    re.DOTALL,
)
_SEGMENT: Final = "[^/]+?"
_PREFIXES: Final = "./"
_LOOKS: Final = ("(?=", "(?!", "(?<=", "(?<!")
_BEYOND_RE2 = re.compile(r"\\(?:[1-9]|k<)|\(\?[>(P]|[*+?}]\+")
_LITERAL = re.compile(r"\\[^1-9k]|\[(?:\\.|[^\]\\])*\]")
_REPEATS: Final = ("*", "+")


class PathPattern(NamedTuple):
    """`regex` is anchored on both sides. `widened`: lookarounds were taken out, so it may match more."""

    regex: str
    widened: bool


@dataclass(slots=True)
class _Token:
    kind: str
    text: str


def from_source(source: str) -> PathPattern:
    """A `rewrites[].source`, in path-to-regexp's language. Raises ValueError with what is wrong."""
    return _checked("^" + _translate(_lex(source)) + "$")


def from_regex(src: str) -> PathPattern:
    """A `routes[].src`, a regular expression that is anchored where it is not. Raises ValueError."""
    return _checked(("" if src.startswith("^") else "^") + src + ("" if src.endswith("$") else "$"))


def from_prefix(prefix: str) -> PathPattern:
    """A path and all below it."""
    return PathPattern("^" + re.escape(prefix.rstrip("/")) + "(?:/.*)?$", False)


def from_stars(path: str) -> str:
    """A path where `*` stands for one segment and `**` for any number of them, also none."""
    words = {"**": ".*", "*": "[^/]*"}
    return "^" + "".join(words.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*)", path)) + "$"


def _checked(regex: str) -> PathPattern:
    # JavaScript writes named groups without the P; a plain group matches the same.
    plain = re.sub(r"\(\?<[A-Za-z_]\w*>", "(", regex)
    narrow = _without_looks(plain)
    if _BEYOND_RE2.search(_LITERAL.sub("x", narrow)):
        raise ValueError("not a pattern that can be followed: it uses back-references or atomic groups")
    try:
        # Python warns of sets that it may read otherwise one day; JavaScript reads them as Python does now.
        with warnings.catch_warnings(action="ignore", category=FutureWarning):
            re.compile(narrow)
    except re.error as wrong:
        raise ValueError(f"not a valid pattern: {wrong.msg}") from None
    return PathPattern(narrow, narrow != plain)


def _without_looks(regex: str) -> str:
    """RE2 has no lookaround; without one the pattern matches the same paths and perhaps more."""
    while (starts := [at for look in _LOOKS if (at := regex.find(look)) >= 0]) and min(starts) >= 0:
        at = min(starts)
        regex = regex[:at] + regex[_closing(regex, at) :]
    return regex


def _closing(text: str, opening: int) -> int:
    """Index after the parenthesis that closes the one at `opening`. Raises ValueError where none does."""
    depth, at, in_class = 0, opening, False
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
        else:
            depth += {"(": 1, ")": -1}.get(char, 0)
            if depth == 0:
                return at + 1
        at += 1
    raise ValueError("a parenthesis is not closed")


def _lex(source: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(source):
        found = _TOKENS.match(source, at)
        if found is None or found.lastgroup is None:
            raise ValueError(f"unexpected character {source[at]!r}")
        kind, text, at = found.lastgroup, found.group(found.lastgroup), found.end()
        if kind == "pattern":
            end = _closing(source, at - 1)
            text, at = source[at : end - 1], end
            if not text:
                raise ValueError("empty parentheses")
        tokens.append(_Token("char" if kind == "escaped" else kind, text))
    return tokens


def _translate(tokens: list[_Token]) -> str:
    """The grammar of path-to-regexp's `parse` and `tokensToRegexp` in one pass."""
    regex, at = "", 0

    def take(kind: str) -> str | None:
        nonlocal at
        if at < len(tokens) and tokens[at].kind == kind:
            at += 1
            return tokens[at - 1].text
        return None

    def text() -> str:
        taken = ""
        while (char := take("char")) is not None:
            taken += char
        return taken

    while at < len(tokens):
        char, name, pattern = take("char"), take("name"), take("pattern")
        if name is not None or pattern is not None:
            prefix = char if char and char in _PREFIXES else ""
            if char and not prefix:
                regex += re.escape(char)
            regex += _group(prefix, pattern or _SEGMENT, "", take("modifier") or "")
        elif char is not None:
            regex += re.escape(char)
        elif take("open") is not None:
            prefix, name, pattern, suffix = text(), take("name"), take("pattern"), text()
            if take("close") is None:
                raise ValueError("a brace is not closed")
            inner = pattern or (_SEGMENT if name is not None else "")
            regex += _group(prefix, inner, suffix, take("modifier") or "")
        else:
            raise ValueError(f"unexpected {tokens[at].text!r}")
    return regex


def _group(prefix: str, pattern: str, suffix: str, modifier: str) -> str:
    before, after = re.escape(prefix), re.escape(suffix)
    if not pattern:
        return f"(?:{before}{after}){modifier}"
    if not before and not after:
        return f"((?:{pattern}){modifier})" if modifier in _REPEATS else f"({pattern}){modifier}"
    if modifier in _REPEATS:
        optional = "?" if modifier == "*" else ""
        return f"(?:{before}((?:{pattern})(?:{after}{before}(?:{pattern}))*){after}){optional}"
    return f"(?:{before}({pattern}){after}){modifier}"
