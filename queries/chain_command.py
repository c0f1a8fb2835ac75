"""`bindtrace chain`: the hops of one trace as a tree, by its id or the beginning of it. No SQL here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import click

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.wording import counted
from bindtrace.queries import cells, pictures, render
from bindtrace.queries.asking import source_of, write
from bindtrace.queries.options import CHAIN_FORMATS, Asked, common
from bindtrace.queries.query import Query
from bindtrace.queries.report_keys import keys_of
from bindtrace.queries.source import Row, Source
from bindtrace.queries.tree import chain_tree_with_legend, flatten

_HEX: Final = re.compile(r"[0-9a-f]{1,32}")
_OFFERED: Final = 3
_NEAREST: Final = (8, 4, 2, 0)
"""How many leading digits an unknown id is compared by, in turn; 0 offers the latest traces."""


@click.command()
@click.argument("trace_id")
@common(CHAIN_FORMATS)
def chain(asked: Asked, trace_id: str) -> None:
    """The calls of one trace, callers above callees; TRACE_ID may be the beginning of an id."""
    with source_of(asked) as source:
        found = whole_id(source, trace_id)
        roots = source.rows("chain", replace(asked.query({"trace_id": found}), limit=None))
        if not roots:
            raise _unknown(source, found)
    flat = flatten(roots)
    if asked.form in ("table", "csv"):
        write(asked, "hops", flat, people=_flat_forms(flat))
        return
    write(asked, "chain", roots, people={"tree": _show, **pictures.of_chain()})


def whole_id(source: Source, trace_id: str) -> str:
    """The trace id that this is, or the beginning of. Raises `Refusal` where it is of none, or of several."""
    wanted = trace_id.strip().lower().replace("-", "")
    if not _HEX.fullmatch(wanted):
        raise Refusal(
            f"`{cells.visible(trace_id)}` is not a trace id",
            fix="a trace id is up to 32 hexadecimal digits; `bindtrace hops` shows some",
        )
    return wanted if len(wanted) == 32 else _completed(source, wanted)


def _show(roots: Sequence[Row]) -> None:
    flat = flatten(roots)
    trace_ids = dict.fromkeys(str(row["trace_id"]) for row in flat)
    render.say(f"trace {', '.join(trace_ids)}: {counted(len(flat), 'hop')}, {_began(flat)}")
    tree, legend = chain_tree_with_legend(roots)
    render.show(tree)
    if legend:
        render.say(legend)


def _began(flat: Sequence[Row]) -> str:
    first = min(int(row["start_time_unix_nano"]) for row in flat)
    return f"began {cells.exact_moment(first)} UTC"


def _flat_forms(flat: Sequence[Row]) -> Mapping[str, Callable[[Sequence[Row]], None]]:
    keys = ("depth", *keys_of("hops"))
    return {"csv": lambda rows: render.emit("hops", rows, "csv", keys)}


def _completed(source: Source, prefix: str) -> str:
    """The one id that begins so. Raises `Refusal` where there are none or several."""
    known = _traces(source, prefix, limit=_OFFERED + 1)
    if not known:
        raise _unknown(source, prefix)
    if len(known) > 1:
        length = next(n for n in range(33) if len({trace_id[:n] for trace_id in known}) == len(known))
        some = ", ".join(trace_id[: max(length, 8)] for trace_id in known[:_OFFERED])
        raise Refusal(
            f"`{prefix}` begins {'at least ' if len(known) > _OFFERED else ''}{len(known)} trace ids",
            fix=f"give more digits, as {some}",
        )
    return known[0]


def _unknown(source: Source, wanted: str) -> Refusal:
    for digits in _NEAREST:
        if digits <= len(wanted) and (near := _traces(source, wanted[:digits], limit=_OFFERED)):
            what = "the nearest are" if digits else "the latest are"
            return Refusal(f"no trace {wanted} in {source.describe()}", fix=f"{what} {', '.join(near)}")
    return Refusal(
        f"no trace {wanted} in {source.describe()}, which has no traces yet",
        fix="send spans to its collector, or `bindtrace import FILE`",
    )


def _traces(source: Source, prefix: str, *, limit: int) -> list[str]:
    rows = source.rows("traces", Query(filters={"prefix": prefix}, limit=limit))
    return [str(row["trace_id"]) for row in rows]
