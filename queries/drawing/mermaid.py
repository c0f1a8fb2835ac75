"""Chains and edges as Mermaid flowcharts, for documents that draw them. Text only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from bindtrace.propagation.vocabulary import EXTERNAL
from bindtrace.queries import cells
from bindtrace.queries.critical_path import waited_for
from bindtrace.queries.drawing.facts import Row, inferred, suffix, violating
from bindtrace.queries.drawing.waterfall import placed

# Mermaid's own escape; what is not listed could end a label, be Markdown, or be HTML.
_ENTITY: Final = re.compile(r"[^\w .,/:+→⇢×✗…()-]")
_CLASSES: Final = (
    "classDef outside stroke-dasharray:4 3",
    "classDef violation fill:#fdecea,stroke:#b3261e,stroke-width:3px,color:#1b1f24,stroke-dasharray:9 4 2 4",
)
_WRONG: Final = "stroke:#b3261e,stroke-dasharray:9 4 2 4"


def chain_flowchart(roots: Sequence[Row]) -> list[str]:
    """A tree of calls from left to right; thick arrows are the critical path, dashed ones inferred joins."""
    waited = waited_for(roots)
    lines, wrong, parents = ["flowchart LR"], [], dict[int, int]()
    for one in placed(roots):
        hop = one.hop
        for child in hop["children"]:
            parents[id(child)] = one.line
        caller = f"h{parents[id(hop)]}" if id(hop) in parents else f"r{one.line}"
        if id(hop) not in parents:
            lines.append(f"  {_node(caller, cells.caller(hop))}{'' if hop.get('caller') else ':::outside'}")
        look = ":::violation" if violating(hop) else ""
        lines.append(f"  {_node(f'h{one.line}', cells.callee(hop) + suffix(hop))}{look}")
        arrow = "==>" if id(hop) in waited else "-.->" if inferred(hop) else "-->"
        lines.append(f"  {caller} {arrow}|{_label(_hop_words(hop))}| h{one.line}")
        wrong += [one.line] if violating(hop) else []
    return [*lines, *_styles(wrong)]


def edges_flowchart(rows: Sequence[Row]) -> list[str]:
    """Who calls whom, from left to right; calls that should not be are red and dashed."""
    names = dict[tuple[str | None, str | None, str], str]()
    lines, arrows, wrong = ["flowchart LR"], list[str](), list[int]()
    for row in rows:
        ends = [
            (row.get("scope"), row.get("caller_env"), cells.caller(row)),
            (row.get("scope"), row.get("callee_env"), cells.callee(row)),
        ]
        for end in ends:
            if end not in names:
                names[end] = f"s{len(names)}"
                lines.append(
                    f"  {_node(names[end], end[2])}{':::outside' if end[2] in (EXTERNAL, cells.UNSEEN) else ''}"
                )
        wrong += [len(arrows)] if violating(row) else []
        arrows.append(f"  {names[ends[0]]} -->|{_label(_edge_words(row))}| {names[ends[1]]}")
    return [*lines, *arrows, *_styles(wrong)]


def _hop_words(hop: Row) -> Iterator[str]:
    lock = "mTLS " if hop.get("protection") == "mtls" else ""
    yield f"{lock}{cells.plain(hop.get('road'))} {cells.milliseconds(hop.get('duration_ms'))}"
    if inferred(hop):
        yield f"joined by {cells.plain(hop.get('pairing'))}"
    if violating(hop):
        yield f"{cells.verdict(hop)} {cells.plain(hop.get('reason'))}"


def _edge_words(row: Row) -> Iterator[str]:
    yield f"{cells.count(row.get('calls'))} calls, p95 {cells.milliseconds(row.get('p95_ms'))}"
    yield f"{cells.plain(row.get('road'))}, {cells.verdict(row)}"


def _node(name: str, label: str) -> str:
    return f'{name}["{_escaped(label)}"]'


def _label(words: Iterator[str]) -> str:
    return f'"{"<br/>".join(map(_escaped, words))}"'


def _escaped(value: str) -> str:
    return _ENTITY.sub(lambda match: f"#{ord(match[0])};", cells.visible(value))


def _styles(wrong: Sequence[int]) -> Iterator[str]:
    yield from (f"  {one}" for one in _CLASSES)
    if wrong:
        yield f"  linkStyle {','.join(map(str, wrong))} {_WRONG}"
