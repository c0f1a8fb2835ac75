"""The main part of each page, from the rows of the reports. Pure; every value goes through `text`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bindtrace.propagation.vocabulary import SEVERITIES
from bindtrace.propagation.wording import counted
from bindtrace.queries import cells
from bindtrace.queries.column_kinds import signature
from bindtrace.queries.drawing.edge_map import edge_map
from bindtrace.queries.drawing.facts import most_telling, violating
from bindtrace.queries.drawing.markup import Markup, tag, text
from bindtrace.queries.drawing.page import chain_parts
from bindtrace.queries.explain import check_command, how_sure, sentence, subject
from bindtrace.queries.web.layout import EMPTY, Row, View, link, number, table

_MAP_EDGES = 200
"""More arrows than these are a carpet; the table below the map has them all."""


def overview(
    edges: Sequence[Row], findings: Sequence[Row], chains: Sequence[Row], coverage: Sequence[Row], view: View
) -> list[Markup]:
    """Figures, findings, the map, and the most frequent chains."""
    calls = sum(int(row["calls"]) for row in edges)
    inside = [row for row in edges if row["caller"] is not None]
    public = sum(int(row["calls"]) for row in inside if row["road"] == "public")
    verified = sum(int(row["verified"]) for row in coverage)
    seen = sum(int(row["hops"]) for row in coverage)
    wrong = sum(row["silenced_until"] is None for row in findings)
    shown = most_telling(edges, _MAP_EDGES)
    return [
        tag("h1", text("Overview")),
        tag(
            "div",
            _card(cells.count(calls), "calls"),
            _card(cells.count(len({row["callee"] for row in edges if row["callee"]})), "services called"),
            _card(cells.count(wrong), _by_severity(findings), view.link("/findings")),
            _card(
                cells.count(public),
                "internal calls by a public road",
                view.link("/chains", only="violations"),
            ),
            _card(f"{verified / seen:.0%}" if seen else "–", "of calls verified or proven"),
            class_="cards",
        ),
        *(_finding_line(row, view) for row in findings[:5]),
        tag("h2", text("Who calls whom")),
        tag(
            "div",
            edge_map(shown, styled=False),
            class_="picture",
            tabindex=0,
            role="region",
            aria_label="Map",
        )
        if shown
        else _nothing("No calls in this time."),
        tag("h2", text("Most frequent chains")) if chains else EMPTY,
        chains_table(chains[:10], view) if chains else EMPTY,
    ]


def findings_page(findings: Sequence[Row], view: View) -> list[Markup]:
    """Every finding with what happened, how sure, the fix, and how to check it."""
    return [
        tag("h1", text("Findings")),
        tag("p", text(_by_severity(findings)), class_="quiet"),
        *(_finding(row, view) for row in findings),
        EMPTY if findings else _nothing("Nothing was found in this time."),
    ]


def chains_page(chains: Sequence[Row], view: View, through: str, only: str) -> list[Markup]:
    """The chains, all or those through a service or with a violation."""
    narrowed = "violations" if only else ""
    words = [f"through {through}"] if through else []
    words += ["with a violation"] if only else []
    other = {"through": through} | ({} if narrowed else {"only": "violations"})
    return [
        tag("h1", text("Chains" + (f" {' '.join(words)}" if words else ""))),
        tag(
            "p",
            link(view.link("/chains", **other), text("show all" if narrowed else "only violations")),
            class_="quiet",
        ),
        chains_table(chains, view) if chains else _nothing("No such chain in this time."),
    ]


def chain_page(roots: Sequence[Row], findings: Sequence[Row], view: View) -> list[Markup]:
    """One chain: its waterfall, what was found of its calls, and every call's facts."""
    title, parts = chain_parts(roots)
    return [tag("h1", text(title)), *(_finding_line(row, view) for row in findings), *parts]


def services_page(services: Sequence[Row], view: View) -> list[Markup]:
    """Every service, its exposure and its calls."""
    columns = ("service", "environment", "exposure", "calls in", "calls out", "spans", "last seen (UTC)")
    rows = [
        (
            link(view.link("/chains", through=str(row["service"])), text(row["service"])),
            text(row["environment"] or ""),
            text(row["exposure"]),
            number(row["calls_in"]),
            number(row["calls_out"]),
            number(row["spans"]),
            text(cells.moment(row["last_seen"])),
        )
        for row in services
    ]
    return [tag("h1", text("Services")), table(columns, rows, ("calls in", "calls out", "spans"))]


def missing(what: str, fix: str) -> list[Markup]:
    return [tag("h1", text(what)), tag("p", text(fix))]


def chains_table(chains: Sequence[Row], view: View) -> Markup:
    columns = ("chain", "calls", "errors", "p50", "p95", "verdict", "road", "example")
    rows = [
        (
            tag("span", text(signature(row["signature"])), class_="wrong" if violating(row) else ""),
            number(row["calls"]),
            number(row["errors"]),
            text(cells.milliseconds(row["p50_ms"])),
            text(cells.milliseconds(row["p95_ms"])),
            text(cells.verdict(row)),
            text(row["road"]),
            _to_chain(str(row["example_trace_id"]), view),
        )
        for row in chains
    ]
    return table(columns, rows, ("calls", "errors", "p50", "p95"))


def _finding(row: Row, view: View) -> Markup:
    source, example = row["source"] or {}, row["example"]
    told: dict[str, Markup] = {
        "what happened": text(sentence(row["message"], row)),
        "how sure, why": text(how_sure(row)),
        "what to do": text(sentence(row["fix"], row)),
        "how to check": tag(
            "span", text("once it is fixed, this shows nothing: "), tag("code", text(check_command(row)))
        ),
    }
    if where := cells.place(source):
        told["where"] = tag("code", text(where))
    if row["silenced_until"]:
        told["silenced until"] = text(f"{cells.moment(row['silenced_until'])} UTC")
    if example:
        told["example"] = _to_chain(str(example["trace_id"]), view)
    return tag(
        "article",
        tag("h2", text(f"{row['severity']}: {row['rule']}  {subject(row)}")),
        tag("p", text(f"{counted(int(row['count']), 'call')} · {row['grade']}"), class_="quiet")
        if example
        else EMPTY,
        tag(
            "dl",
            *(part for name, value in told.items() for part in (tag("dt", text(name)), tag("dd", value))),
        ),
        class_=str(row["severity"]),
        id=f"finding-{row['id']}",
    )


def _finding_line(row: Row, view: View) -> Markup:
    return tag(
        "p",
        tag(
            "b",
            text(f"{row['severity']}  "),
            class_="wrong" if row["severity"] in ("critical", "high") else "",
        ),
        link(f"{view.link('/findings')}#finding-{row['id']}", text(f"{row['rule']}: {subject(row)}")),
        text("  "),
        tag("span", text(row["message"]), class_="quiet"),
    )


def _by_severity(findings: Sequence[Row]) -> str:
    tally = Counter(str(row["severity"]) for row in findings if row["silenced_until"] is None)
    words = ", ".join(f"{tally[severity]} {severity}" for severity in SEVERITIES if tally[severity])
    return f"open findings: {words}" if words else "open findings"


def _card(figure: str, label: str, where: str = "") -> Markup:
    words = text(label)
    return tag("div", tag("b", text(figure)), link(where, words) if where else words, class_="card")


def _to_chain(trace_id: str, view: View) -> Markup:
    return link(view.link(f"/chain/{trace_id}"), tag("code", text(trace_id[:12])))


def _nothing(words: str) -> Markup:
    return tag("p", text(words), class_="quiet")
