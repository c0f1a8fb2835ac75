"""How a file of DuckDB is told from any other: by its first bytes. Opens nothing."""

from __future__ import annotations

from typing import Final

_MAGIC: Final = b"DUCK"
_MAGIC_AT: Final = 8
"""Behind a checksum. source: DuckDB, `MainHeader`"""
HEAD_BYTES: Final = _MAGIC_AT + len(_MAGIC)


def is_duckdb(head: bytes) -> bool:
    """Whether a file that begins with these bytes, at least `HEAD_BYTES` of them, is DuckDB's."""
    return head[_MAGIC_AT:HEAD_BYTES] == _MAGIC
