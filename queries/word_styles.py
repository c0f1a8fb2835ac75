"""What a word of ours looks like to a person, and which severity is worse. Data; the terminal is not known here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bindtrace.propagation.vocabulary import SEVERITIES

_STYLES: Final[Mapping[str, str]] = {
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "low": "cyan",
    "info": "dim",
    "denied": "red",
    "allowed": "green",
    "unknown": "yellow",
    "public": "yellow",
    "contradicted": "red",
    "plaintext": "yellow",
    "new": "cyan",
    "slower": "yellow",
    "gone": "dim",
    "changed": "red",
    "missing": "red",
    "extra": "red",
    "yes": "green",
    "no": "red",
    "breaks": "red",
    "passes": "yellow",
    "unjudged": "yellow",
    "declared": "green",
    "widens": "red",
    "narrows": "green",
}


def word_style(word: str) -> str:
    """The colour of a severity, verdict, road, protection or grade; empty for a word that has none."""
    return _STYLES.get(word, "")


def severity_rank(severity: Any) -> int:
    """0 is the worst; a word outside the list comes last."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
