"""Writes pictures to standard output, each in its form; how they are drawn is known in queries/drawing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from bindtrace.queries import render

Write = Callable[[Sequence[Mapping[str, Any]]], None]

MOST_EDGES: Final = 500
"""Nobody reads a map of more, and the layout of 8,600 took 2 GB. Mermaid draws no more unless `maxEdges` is raised."""


def of_chain() -> dict[str, Write]:
    """The forms of one chain that are pictures; the rows are nested hops."""

    # Imported when asked for, so that a table does not wait for them.
    def svg(roots: Sequence[Mapping[str, Any]]) -> None:
        from bindtrace.queries.drawing.waterfall import waterfall

        _markup(waterfall(roots))

    def html(roots: Sequence[Mapping[str, Any]]) -> None:
        from bindtrace.queries.drawing.page import page

        _markup(page(roots))

    def mermaid(roots: Sequence[Mapping[str, Any]]) -> None:
        from bindtrace.queries.drawing.mermaid import chain_flowchart

        _flowchart(chain_flowchart(roots))

    return {"svg": svg, "html": html, "mermaid": mermaid}


def of_edges() -> dict[str, Write]:
    """The forms of the map that are pictures; the rows are those of the report `edges`."""

    def svg(rows: Sequence[Mapping[str, Any]]) -> None:
        from bindtrace.queries.drawing.edge_map import edge_map

        _markup(edge_map(_drawable(rows)))

    def mermaid(rows: Sequence[Mapping[str, Any]]) -> None:
        from bindtrace.queries.drawing.mermaid import edges_flowchart

        _flowchart(edges_flowchart(_drawable(rows)))

    return {"svg": svg, "mermaid": mermaid}


def _drawable(edges: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    from bindtrace.queries.drawing.facts import most_telling

    if len(edges) > MOST_EDGES:
        render.say(
            f"drawn are {MOST_EDGES} of {len(edges):,} edges, those with violations and the most calls first; "
            "--caller, --callee and --road ask for others, -f json has all"
        )
    return most_telling(edges, MOST_EDGES)


def _markup(markup: str) -> None:
    from bindtrace.queries.drawing.markup import ascii_only

    render.out(f"{ascii_only(markup)}\n")


def _flowchart(lines: Sequence[str]) -> None:
    render.out("".join(f"{line}\n" for line in lines))
    arrows = sum(any(arrow in line for arrow in (" -->|", " ==>|", " -.->|")) for line in lines)
    if arrows > MOST_EDGES:
        render.say(
            f"{arrows:,} arrows: Mermaid draws {MOST_EDGES} unless `maxEdges` is raised; -f svg has all"
        )
