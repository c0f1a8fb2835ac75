"""Sizes and durations as a person writes them on a command line: 2GB, 512MiB, 7d, 12h. Parses only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import click

_SIZES: Final = {
    "": 1, "B": 1,
    "K": 2**10, "KB": 10**3, "KIB": 2**10,
    "M": 2**20, "MB": 10**6, "MIB": 2**20,
    "G": 2**30, "GB": 10**9, "GIB": 2**30,
    "T": 2**40, "TB": 10**12, "TIB": 2**40,
}  # fmt: skip
_TIMES: Final = {"S": 1, "M": 60, "H": 3600, "D": 86_400, "W": 604_800}
_WRITTEN: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,3})?) ?([A-Za-z]{0,3})", re.ASCII)


class _Quantity(click.ParamType[int]):
    """A number with a unit; the value is in the unit whose factor is 1."""

    def __init__(self, name: str, units: dict[str, int], example: str) -> None:
        self.name = name
        self._units = units
        self._example = example

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = _WRITTEN.fullmatch(value.strip())
        factor = self._units.get(found[2].upper()) if found else None
        if found is None or factor is None or not (amount := int(float(found[1]) * factor)):
            self.fail(f"`{value}` is not a {self.name}: write it as {self._example}", param, ctx)
        return amount


class _Keep(click.ParamType[Mapping[str, int]]):
    """One duration for all, under the name "", or durations by table: `spans=7d,hops=30d`; seconds."""

    name = "keep"

    def convert(
        self, value: str | Mapping[str, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> Mapping[str, int]:
        if not isinstance(value, str):
            return value
        kept: dict[str, int] = {}
        for part in value.split(","):
            table, equals, written = part.rpartition("=")
            name = table.strip()
            if name in kept or (equals and name not in KEPT) or ("" in (*kept, name) and "," in value):
                self.fail(f"`{value}` is not what to keep: write it as 7d or spans=7d,hops=30d", param, ctx)
            kept[name] = DURATION.convert(written, param, ctx)
        return kept


KEPT: Final = ("spans", "hops", "findings")
SIZE: Final = _Quantity("size", _SIZES, "2GB or 512MiB")
"""Bytes; at least 1."""
DURATION: Final = _Quantity("duration", _TIMES, "7d or 12h")
"""Seconds; at least 1."""
KEEP: Final = _Keep()
