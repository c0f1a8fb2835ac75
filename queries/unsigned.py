"""How times and load ids are bound to statements: they are UBIGINT in the tables, and must be in the parameters too.

DuckDB takes a Python int as BIGINT and then casts the column of every row to compare the two, which keeps it from
skipping row groups: 15 ms against 2 ms for one load among 4 million spans (1.5.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from duckdb.value.constant import UnsignedLongValue

UNSIGNED: Final = frozenset(
    {
        "since", "until", "after", "upto", "issued_since", "log_from", "log_until", "first_load", "last_load",
        "analysed", "stored_from", "stored_to", "from", "last",
    }
)  # fmt: skip
"""Parameters that are compared with such columns."""


def unsigned(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, those of `UNSIGNED` that are numbers with the type of their columns."""
    return {
        name: UnsignedLongValue(value)
        if name in UNSIGNED and isinstance(value, int) and value >= 0
        else value
        for name, value in values.items()
    }
