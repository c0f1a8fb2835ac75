"""What every picture says of a hop, in the same words. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bindtrace.queries import cells

Row = Mapping[str, Any]
AMISS: Final = ("denied", "contradicted")
"""Words of `cells.verdict` for what should not be."""


def violating(row: Row) -> bool:
    """Whether a hop, edge or chain is amiss: denied, contradicted, or by a public road from a known caller.

    The first call of a chain comes from outside by its nature; a chain of one service is nothing else.
    """
    inside = len(row["signature"]) > 1 if "signature" in row else row.get("caller") is not None
    return cells.verdict(row) in AMISS or (inside and row.get("road") == "public")


def most_telling(edges: Sequence[Row], most: int) -> list[Row]:
    """Of more edges than a map can show, those with violations and then those with the most calls; entries go first."""
    if len(edges) <= most:
        return list(edges)
    return sorted(
        edges, key=lambda row: (not violating(row), row.get("caller") is None, -int(row.get("calls") or 0))
    )[:most]


def inferred(row: Row) -> bool:
    """Whether the two sides were joined by anything weaker than their parent span."""
    return row.get("pairing") not in (None, "parent") and row.get("caller") is not None


def call(row: Row) -> str:
    return f"{cells.caller(row)} {'⇢' if inferred(row) else '→'} {cells.callee(row)}"


def suffix(row: Row) -> str:
    """Attempts and failure, as they stand behind a name."""
    attempts = int(row.get("attempts") or 1)
    return f"{f' ×{attempts}' if attempts > 1 else ''}{' ✗' if row.get('error') else ''}"


def facts(row: Row, sections: Sequence[tuple[int, int]] = ()) -> dict[str, str]:
    """Label and text of everything that is known of a hop, for people."""
    waited = sum(end - start for start, end in sections)
    told = {
        "call": call(row),
        "kind": _plain(row, "kind"),
        "binding": _plain(row, "binding"),
        "road": _joined(row, "road", "confidence"),
        "protection": _plain(row, "protection"),
        "verdict": _joined(row, "verdict", "reason"),
        "outcome": _plain(row, "outcome"),
        "grade": _plain(row, "grade"),
        "joined by": _plain(row, "pairing"),
        "began (UTC)": cells.exact_moment(row.get("start_time_unix_nano")),
        "took": cells.milliseconds(row.get("duration_ms")),
        "on the critical path": cells.milliseconds(waited / 1e6) if waited else "",
        "network": cells.milliseconds(row.get("network_ms")),
        "carried by": ", ".join(map(cells.visible, row.get("via") or ())),
        "attempts": str(row["attempts"]) if int(row.get("attempts") or 1) > 1 else "",
        "error": "yes" if row.get("error") else "",
        "marks": ", ".join(map(cells.visible, row.get("marks") or ())),
        "trace": _plain(row, "trace_id"),
        "spans": ", ".join(map(cells.visible, row.get("evidence") or ())),
    }
    return {label: value for label, value in told.items() if value}


def _plain(row: Row, key: str) -> str:
    return cells.plain(row.get(key))


def _joined(row: Row, key: str, other: str) -> str:
    more = _plain(row, other)
    return f"{_plain(row, key)} ({more})" if more else _plain(row, key)
