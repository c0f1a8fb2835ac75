"""A review as the Markdown of a pull request's comment: the worst first, each with its line and an example. No SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from bindtrace.propagation.manifest import Grant
from bindtrace.propagation.manifest_diff import Difference
from bindtrace.propagation.wording import counted
from bindtrace.queries import cells
from bindtrace.queries.column_kinds import signature
from bindtrace.queries.markdown import code, plain, table
from bindtrace.queries.reviewing import Review
from bindtrace.queries.source import Row

ROWS: Final = 20
"""Of a section; GitHub takes no comment of more than 65,536 characters."""
MARKER: Final = "<!-- bindtrace review -->"
"""By which a workflow finds its former comment."""


def headline(one: Review) -> str:
    """As `breaks 3 of 27 chains, 1 grant unused, ledger becomes public`."""
    parts = []
    if one.breaks:
        many = len(one.chains)
        parts.append(f"breaks {many} of {counted(one.chains_seen, 'chain')}" if many else "breaks calls")
    if one.passes:
        parts.append(f"lets {counted(sum(row['calls'] for row in one.passes), 'refused call')} pass")
    for change, told in (("unjudged", "would no longer be judged"), ("declared", "would newly be declared")):
        if number := sum(row["calls"] for row in one.changes if row["change"] == change):
            parts.append(f"{counted(number, 'call')} {told}")
    if one.public:
        names = [service for service, _, _ in one.public]
        parts.append(
            f"{', '.join(names[:3])}{' and more' if len(names) > 3 else ''} become{'s' * (len(names) == 1)} public"
        )
    if one.unused:
        parts.append(f"{counted(len(one.unused), 'grant')} unused")
    return ", ".join(parts) or "changes nothing for the calls that were seen"


def markdown(one: Review, where: str, trace_url: str | None = None) -> str:
    """The comment. `trace_url` is an address with `{trace_id}` in it, by which examples become links."""
    parts = [MARKER, f"### bindtrace: {plain(headline(one))}", _basis(one, where)]
    parts += _section("Calls that would break", _calls(one.breaks, trace_url), len(one.breaks))
    parts += _section("Chains that they are part of", _chains(one.chains, trace_url), len(one.chains))
    parts += _section(
        "Calls that are refused today and would pass", _calls(one.passes, trace_url), len(one.passes)
    )
    opened = [[code(service), code(f"{file}:{line}")] for service, file, line in one.public]
    parts += _section("Reachable from outside", table(("service", "by"), opened[:ROWS]), len(opened))
    parts += _section("Grants that no call used", _grants(one), len(one.unused))
    parts += _section("What is declared otherwise", _differences(one.differences), len(one.differences))
    parts.append(
        "A call that was not seen may break all the same: "
        f"these are the calls of {counted(one.days, 'day')}, as far as they were sampled."
    )
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _basis(one: Review, where: str) -> str:
    since = "" if one.since_unix_nano is None else f" since {cells.moment(one.since_unix_nano)} UTC"
    return f"Tried on {counted(one.calls, 'call')} in {counted(one.chains_seen, 'chain')}{since}, from {code(where)}."


def _section(title: str, body: str, number: int) -> Iterator[str]:
    if body:
        yield f"**{title}**"
        yield body
        if number > ROWS:
            yield f"… and {number - ROWS:,} more."


def _calls(rows: Sequence[Row], trace_url: str | None) -> str:
    return table(
        (
            "call",
            "calls",
            "requests",
            "by",
            "allowed before by" if _breaks(rows) else "refused before by",
            "example",
        ),
        [
            [
                code(f"{cells.caller(row)} → {cells.callee(row)}"),
                f"{row['calls']:,}",
                ", ".join(map(code, row["requests"])),
                _place(row["file"], row["line"]),
                _place(row["file_before"], row["line_before"]),
                _example(row["example_trace_id"], trace_url),
            ]
            for row in rows[:ROWS]
        ],
    )


def _breaks(rows: Sequence[Row]) -> bool:
    return bool(rows) and rows[0]["change"] == "breaks"


def _chains(rows: Sequence[Row], trace_url: str | None) -> str:
    return table(
        ("chain", "calls", "example"),
        [
            [
                code(signature(row["signature"])),
                f"{row['calls']:,}",
                _example(row["example_trace_id"], trace_url),
            ]
            for row in rows[:ROWS]
        ],
    )


def _grants(one: Review) -> str:
    # What the change adds comes last: nobody can have used it yet.
    ordered = sorted(one.unused, key=lambda grant: (grant in one.added, grant.file, grant.line))
    return table(
        ("grant", "binding", "at", ""), [_grant(grant, grant in one.added) for grant in ordered[:ROWS]]
    )


def _grant(grant: Grant, added: bool) -> list[str]:
    return [
        code(f"{grant.caller} → {grant.callee}"),
        code(grant.binding) if grant.binding else "",
        _place(grant.file, grant.line),
        "new" if added else "",
    ]


def _differences(found: Sequence[Difference]) -> str:
    words = {"widens": "lets more through", "narrows": "lets less through", "neither": ""}
    return table(
        ("", "what", "of", "declared", "at"),
        [
            [
                words[one.effect],
                f"{one.what} {one.change}",
                code(" → ".join(name for name in (one.caller, one.callee) if name) or "any"),
                " → ".join(code(text) for text in (one.before, one.after) if text),
                _place(one.file, one.line),
            ]
            for one in found[:ROWS]
        ],
    )


def _place(file: Any, line: Any) -> str:
    text = cells.place({"file": file, "line": line})
    return code(text) if text else ""


def _example(trace_id: str | None, trace_url: str | None) -> str:
    if not trace_id:
        return ""
    return f"[{code(trace_id)}]({trace_url.replace('{trace_id}', trace_id)})" if trace_url else code(trace_id)
