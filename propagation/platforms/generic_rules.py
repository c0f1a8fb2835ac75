"""What each table of a `bindtrace.toml` may hold. Values in, faults out; no lines, no I/O."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Final, NamedTuple


class Kind(NamedTuple):
    """What a value must be."""

    fits: Callable[[Any], bool]
    expected: str


class Fault(NamedTuple):
    """`key` None: the table itself is at fault."""

    key: str | None
    code: str
    message: str
    fix: str


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _all(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _one_of(*words: str) -> Kind:
    return Kind(lambda value: value in words, " or ".join(f'"{word}"' for word in words))


_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}")
_PATH = re.compile(r"/[!-~]*")
_TEXT: Final = Kind(_is_text, 'text that is not empty: "…"')
_TEXTS: Final = Kind(_all(_is_text), 'a list of texts: ["…"]')
_TABLE: Final = Kind(lambda value: isinstance(value, dict), "a table")
_TABLES: Final = Kind(_all(lambda value: isinstance(value, dict)), "tables: [[…]]")
_WHEN: Final = Kind(lambda value: isinstance(value, date), "a date or a time without quotes: 2026-12-31")
_FLAG: Final = Kind(lambda value: isinstance(value, bool), "true or false")
_COUNT: Final = Kind(_is_count, "a whole number above 0")
_METHODS: Final = Kind(
    _all(lambda value: isinstance(value, str) and bool(_METHOD.fullmatch(value))),
    'HTTP methods in capitals: ["GET"]',
)
_PATHS: Final = Kind(
    _all(lambda value: isinstance(value, str) and bool(_PATH.fullmatch(value))),
    'paths that begin with /, where * stands for one segment and ** for any: ["/v1/**"]',
)
_EXPOSURE: Final = _one_of("public", "internal")
_PROTECTION: Final = _one_of("tls", "mtls")

FILE: Final = "the file"
SHAPES: Final[Mapping[str, Mapping[str, tuple[Kind, bool]]]] = {
    FILE: {
        "scope": (_TEXT, False),
        "max_hops": (_COUNT, False),
        "services": (_TABLE, False),
        "edges": (_TABLE, False),
        "ranges": (_TABLE, False),
        "grants": (_TABLES, False),
        "probes": (_TABLES, False),
        "exceptions": (_TABLES, False),
    },
    "services": {
        "match": (_TABLE, False),
        "hosts": (_TEXTS, False),
        "public_hosts": (_TEXTS, False),
        "egress": (_TEXTS, False),
        "environment": (_TEXT, False),
        "environments": (_TEXTS, False),
        "exposure": (_EXPOSURE, False),
        "protection": (_PROTECTION, False),
        "sensitive": (_FLAG, False),
        "only_through": (_TEXTS, False),
        "delegates_for": (_TEXTS, False),
        "forwarder": (_FLAG, False),
        "outside": (_FLAG, False),
        "issuer": (_FLAG, False),
    },
    "edges": {"match": (_TABLE, False), "hosts": (_TEXTS, False)},
    "ranges": {"internal": (_TEXTS, False), "public": (_TEXTS, False)},
    "grants": {
        "caller": (_TEXT, True),
        "callee": (_TEXT, True),
        "binding": (_TEXT, False),
        "environment": (_TEXT, False),
        "methods": (_METHODS, False),
        "paths": (_PATHS, False),
        "protection": (_PROTECTION, False),
        "used_within_days": (_COUNT, False),
    },
    "probes": {
        "name": (_TEXT, True),
        "addresses": (_TEXTS, False),
        "user_agent": (_TEXT, False),
        "paths": (_PATHS, False),
    },
    "exceptions": {
        "rule": (_TEXT, True),
        "caller": (_TEXT, False),
        "callee": (_TEXT, False),
        "reason": (_TEXT, True),
        "until": (_WHEN, True),
    },
}
"""Kind of table: key -> (what it must be, whether it must be there)."""


def faults_of(kind: str, owner: str, table: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with the keys of one table: unknown, of another type, missing."""
    shape = SHAPES[kind]
    for key, value in table.items():
        if key not in shape:
            near = difflib.get_close_matches(key, shape, n=1, cutoff=0.5)
            fix = f"use `{near[0]}`" if near else f"known keys are {', '.join(shape)}"
            yield Fault(key, "UNKNOWN_KEY", f"{owner} has the unknown key `{key}`", fix)
        elif not shape[key][0].fits(value):
            expected = shape[key][0].expected
            yield Fault(key, "WRONG_TYPE", f"`{key}` of {owner} is {value!r}", f"make it {expected}")
    for key, (_, needed) in shape.items():
        if needed and key not in table:
            yield Fault(None, "MISSING_KEY", f"{owner} has no `{key}`", f"add `{key} = …`")


def is_text(value: object) -> bool:
    """Whether a value is text with something in it."""
    return _is_text(value)


_HOST = re.compile(r"(\*\.)?[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?(:[0-9]{1,5})?|\[[0-9a-f:.]+\](:[0-9]{1,5})?")


def host_of(written: str) -> str | None:
    """The host in lower case; None where the text is none."""
    host = written.strip().lower()
    return host if _HOST.fullmatch(host) else None


def cidr_of(written: str) -> str | None:
    """An address or network as CIDR; None where the text is neither."""
    try:
        return str(ipaddress.ip_network(written.strip(), strict=False))
    except ValueError:
        return None
