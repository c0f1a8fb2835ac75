"""Reads the moments that people write, `15m` or `2026-01-31T12:00:00Z`; knows no clock but the one passed in."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import click

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.queries.query import FOREVER

EXAMPLES: Final = "`15m`, `2h`, `7d`, `2026-01-31T12:00:00Z` or Unix seconds"

_UNITS_NANO: Final = {
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
}
_PART: Final = re.compile(r"(\d{1,12})(ms|[smhdw])", re.ASCII)
_AGO: Final = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_EPOCH: Final = re.compile(r"(\d{1,19})(?:\.(\d{1,9}))?", re.ASCII)
_RFC3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?([Zz]|[+-]\d\d:\d\d)?)?", re.ASCII
)
_MAGNITUDES: Final = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3), (2**63, 1))
"""Below the first number an epoch is in units of the second, in nanoseconds: s, ms, us, ns. Real telemetry of
any of the four units falls between 1973 and 5138, so that Grafana's milliseconds need no unit."""


def parse_moment(text: str, now: int) -> int:
    """Unix nanoseconds of `now`, a time span before it (`1h30m`), an RFC 3339 time or date, or an epoch.

    `now` is Unix nanoseconds. A time without an offset is UTC. Raises `ValueError` with a sentence for people.
    """
    written = text.strip()
    if written == "now":
        return now
    if _AGO.fullmatch(written):
        return max(0, now - _nano(written))
    if match := _EPOCH.fullmatch(written):
        return _epoch(written, *match.groups())
    if match := _RFC3339.fullmatch(written):
        return _rfc3339(written, *match.groups())
    raise ValueError(f"`{written}` is not a time; write {EXAMPLES}")


def parse_length(text: str) -> int:
    """Nanoseconds of a time span, `1h30m`, above 0. Raises `ValueError` with a sentence for people."""
    written = text.strip()
    length = _nano(written) if _AGO.fullmatch(written) else 0
    if length == 0:
        raise ValueError(f"`{written}` is not a length of time; write `15m`, `2h` or `7d`")
    return length


def in_rfc3339(unix_nano: int) -> str:
    """The moment with its nanoseconds, which `parse_moment` reads back exactly."""
    seconds, nano = divmod(unix_nano, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nano:09d}Z"


class Moment(click.ParamType[int]):
    """A click parameter that ends as Unix nanoseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_moment(str(value), now_unix_nano())
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Length(click.ParamType[int]):
    """A click parameter that ends as nanoseconds."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_length(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _nano(written: str) -> int:
    return sum(int(count) * _UNITS_NANO[unit] for count, unit in _PART.findall(written))


def _epoch(written: str, whole: str, fraction: str | None) -> int:
    number = int(whole)
    if fraction is not None:
        if number >= _MAGNITUDES[0][0]:
            raise ValueError(f"`{written}`: only Unix seconds take a fraction")
        return number * 1_000_000_000 + int(fraction.ljust(9, "0"))
    for bound, unit_nano in _MAGNITUDES:
        if number < bound:
            return min(number * unit_nano, FOREVER)
    raise ValueError(f"`{written}` is later than 64 bits of nanoseconds hold")


def _rfc3339(written: str, *parts: str | None) -> int:
    *fields, fraction, offset = parts
    year, month, day, hour, minute, second = (int(part or 0) for part in fields)
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=_zone(offset))
    except ValueError as error:
        raise ValueError(f"`{written}` is not a time: {error}") from None
    whole = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    unix_nano = whole * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))
    if not 0 <= unix_nano <= FOREVER:
        raise ValueError(f"`{written}` is outside 1970 to 2262")
    return unix_nano


def _zone(offset: str | None) -> timezone:
    if offset is None or offset in "Zz":
        return UTC
    sign = -1 if offset[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6])))
