"""Kinds of columns: a count, a duration, a word with its colour, a time. How each is written, not which there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from bindtrace.queries import cells
from bindtrace.queries.layout import Column, Row
from bindtrace.queries.word_styles import word_style


def value_of(name: str) -> Callable[[Row], str]:
    """The value as plain text."""
    return lambda row: cells.plain(row.get(name))


def count(heading: str, key: str, gives_way: int = 0) -> Column:
    return Column(heading, lambda row: cells.count(row.get(key)), right=True, gives_way=gives_way)


def some(heading: str, key: str, gives_way: int, style: str) -> Column:
    """A count that is worth a colour where it is not zero."""
    return Column(
        heading,
        lambda row: cells.count(row.get(key)),
        right=True,
        gives_way=gives_way,
        style=lambda text: "" if text in ("", "0") else style,
    )


def ms(heading: str, key: str, gives_way: int) -> Column:
    return Column(heading, lambda row: cells.milliseconds(row.get(key)), right=True, gives_way=gives_way)


def word(heading: str, key: str, gives_way: int = 0) -> Column:
    return Column(heading, value_of(key), gives_way=gives_way, style=word_style)


def text(heading: str, key: str, gives_way: int = 0, *, flexible: int = 0) -> Column:
    return Column(heading, value_of(key), gives_way=gives_way, flexible=flexible)


def scope(gives_way: int) -> Column:
    """Bare names are enough where all are of one scope."""
    return Column("SCOPE", value_of("scope"), gives_way=gives_way, flexible=12, tells_apart=True)


def when(heading: str, key: str, gives_way: int) -> Column:
    return Column(f"{heading} (UTC)", lambda row: cells.moment(row.get(key)), gives_way=gives_way)


def since(heading: str, key: str, gives_way: int) -> Column:
    """The beginning of a window, which may have none: 0."""
    return Column(
        f"{heading} (UTC)",
        lambda row: "the beginning" if row.get(key) == "0" else cells.moment(row.get(key)),
        gives_way=gives_way,
    )


def trace(heading: str, key: str, gives_way: int = 0) -> Column:
    """A trace id; its first 12 digits are enough for `bindtrace chain`."""
    return Column(
        heading, value_of(key), gives_way=gives_way, short=lambda row: cells.plain(row.get(key))[:12]
    )


def by_reason(key: str) -> Callable[[Row], str]:
    """Counts by reason: `3 bad trace id, 1 …`."""
    return lambda row: ", ".join(
        f"{cells.count(number)} {cells.visible(reason)}".rstrip()
        for reason, number in (row.get(key) or {}).items()
    )


def reasons(heading: str, key: str, gives_way: int, flexible: int, style: str) -> Column:
    """Counts by reason, with a colour where there are any."""
    return Column(
        heading,
        by_reason(key),
        gives_way=gives_way,
        flexible=flexible,
        style=lambda text: style if text else "",
    )


def environments(row: Row) -> str:
    """One name where caller and callee share it or only one is known, `a>b` where the call crosses."""
    both = [cells.visible(name) for name in (row.get("caller_env"), row.get("callee_env")) if name]
    return ">".join(dict.fromkeys(both))


def before_and_after(row: Row) -> str:
    """What was declared and what is, `internal → public`; one of them where the other is nothing."""
    return " → ".join(cells.visible(text) for text in (row.get("before"), row.get("after")) if text)


def share(value: Any) -> str:
    """A share as a percentage, never rounded up to all."""
    return "" if value is None else f"{int(float(value) * 1000) / 10:.1f}%"


def requests(row: Row) -> str:
    return ", ".join(map(cells.visible, row.get("requests") or ()))


CALLER: Final = Column(
    "CALLER", cells.caller, flexible=32, style=lambda text: "dim" if text == cells.EXTERNAL else ""
)
CALLEE: Final = Column(
    "CALLEE", cells.callee, flexible=32, style=lambda text: "dim" if text == cells.UNSEEN else ""
)
VERDICT: Final = Column("VERDICT", cells.verdict, style=word_style)
ENVS: Final = Column("ENV", environments, gives_way=7)
KIND: Final = Column("KIND", value_of("kind"), gives_way=9, tells_apart=True)
ERROR: Final = Column(
    "ERROR", lambda row: "error" if row.get("error") else "", gives_way=2, style=lambda _: "red"
)


def signature(services: Sequence[str | None]) -> str:
    """The services on a chain's path, entry first."""
    return " → ".join(cells.visible(service or cells.EXTERNAL) for service in services)


CHAIN: Final = Column("CHAIN", lambda row: signature(row.get("signature") or ()), flexible=40)
