"""How numbers of things are said. No I/O here."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """As `1 call`, `2,500 calls`; for nouns whose plural takes an s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
