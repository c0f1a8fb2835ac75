"""The questions of the command line: chains, hops, edges, services, grants, findings, rules, reports. No SQL here."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.text import Text

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.options import format_option
from bindtrace.propagation.vocabulary import (
    GRADES,
    PAIRINGS,
    ROADS,
    SEVERITIES,
    VERDICTS,
)
from bindtrace.queries import cells, pictures, render
from bindtrace.queries.asking import answer, names_in, nothing, source_of, unknown_name, write
from bindtrace.queries.chain_command import chain, whole_id
from bindtrace.queries.chains_command import chains
from bindtrace.queries.columns import columns_of
from bindtrace.queries.options import EDGE_FORMATS, FINDING_FORMATS, TABLE_FORMATS, Asked, common
from bindtrace.queries.report_keys import keys_of
from bindtrace.queries.source import Row
from bindtrace.queries.sql_command import sql
from bindtrace.queries.word_styles import severity_rank, word_style

__all__ = [
    "chain", "chains", "edges", "findings", "grants", "hops", "report", "rule", "rules", "services", "sql",
]  # fmt: skip

HOPS_LIMIT = 1000

_caller = click.option("--caller", metavar="SERVICE", help="Only calls of this service.")
_callee = click.option("--callee", metavar="SERVICE", help="Only calls to this service.")
_road = click.option("--road", type=click.Choice(sorted(ROADS)), help="Only calls that took this road.")
_verdict = click.option("--verdict", type=click.Choice(sorted(VERDICTS)), help="Only calls judged so.")


@click.command()
@_caller
@_callee
@_road
@_verdict
@click.option(
    "--kind", type=click.Choice(["call", "message", "database", "external"]), help="Only this kind."
)
@click.option("--grade", type=click.Choice(sorted(GRADES)), help="Only calls whose facts have this grade.")
@click.option(
    "--pairing", type=click.Choice(sorted(PAIRINGS)), help="Only calls whose two sides were joined so."
)
@click.option("--reason", metavar="WORD", help="Only calls judged for this reason, as `undeclared`.")
@click.option(
    "--trace",
    "trace_id",
    metavar="TRACE_ID",
    help="Only calls of this trace; the beginning of its id is enough.",
)
@common(limit=HOPS_LIMIT)
def hops(asked: Asked, trace_id: str | None, **filters: str | None) -> None:
    """Single calls with their judgement and evidence, the latest first."""
    if trace_id is None:
        answer(asked, "hops", filters)
    else:
        answer(asked, "hops", lambda source: {**filters, "trace_id": whole_id(source, trace_id)})


@click.command()
@_caller
@_callee
@_road
@_verdict
@common(EDGE_FORMATS)
def edges(asked: Asked, **filters: str | None) -> None:
    """Who calls whom, by which road, how often and how fast; as a map with -f svg or -f mermaid."""
    answer(asked, "edges", filters, people=pictures.of_edges())


@click.command()
@common()
def services(asked: Asked) -> None:
    """Every service that was seen or declared."""
    answer(asked, "services")


@click.command()
@_caller
@_callee
@common()
def grants(asked: Asked, **filters: str | None) -> None:
    """What the manifests allow, by which line, and whether it is used."""
    answer(asked, "grants", filters)


@click.command()
@click.option("--rule", metavar="NAME", help="Only findings of this rule; `bindtrace rules` lists them.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only findings as bad as this, or worse.")
@_caller
@_callee
@common(FINDING_FORMATS)
def findings(asked: Asked, severity: str | None, **filters: str | None) -> None:
    """What should not have happened, how sure that is, and what to do."""
    from bindtrace.queries.explain import explain
    from bindtrace.queries.rules import RULES
    from bindtrace.queries.sarif import sarif_text

    if filters["rule"] is not None and filters["rule"] not in RULES:
        raise unknown_name("rule", filters["rule"], list(RULES))
    with source_of(asked) as source:
        found = source.rows("findings", asked.query(filters))
        where, option = source.describe(), source.option()
        names = () if found else names_in(source)
    kept = [
        row for row in found if severity is None or severity_rank(row["severity"]) <= severity_rank(severity)
    ]
    write(
        asked,
        "findings",
        kept,
        people={
            "table": lambda rows: render.show(explain(rows, option), prose=True),
            "sarif": lambda rows: render.out(sarif_text(rows)),
        },
    )
    if not kept:
        render.say(nothing(asked, "findings", {**filters, "severity at least": severity}, where, names))


@click.command()
@format_option(TABLE_FORMATS)
def rules(form: str) -> None:
    """Every rule that can raise a finding."""
    from bindtrace.queries.rules import RULES

    render.emit("rules", [RULES[name].row() for name in sorted(RULES)], form, keys_of("rules"))


@click.command()
@click.argument("name")
@format_option(("table", "json"))
def rule(name: str, form: str) -> None:
    """What one rule looks for, why it matters, what to do, and when it may be wrong."""
    from bindtrace.queries.rules import RULES, in_general

    if name not in RULES:
        raise unknown_name("rule", name, list(RULES))
    found = RULES[name]
    if form == "json":
        render.emit("rules", [found.row()], "json")
        return
    render.show(
        Text.assemble(
            (name, "bold"),
            "  ",
            (found.severity, word_style(found.severity)),
            f"  {found.category}, {found.status}",
        ),
        prose=True,
    )
    told = {
        "what": found.title.partition(": ")[2] or found.title,
        "why": in_general(found.why),
        "says": found.message,
        "what to do": found.remedy,
        "how to check": f"`{found.check}` must show no rows",
        "wrong when": found.may_be_wrong_when,
        "reads": ", ".join(found.reads),
        "SQL": f"bindtrace/queries/findings/{name}.sql",
    }
    render.show(render.labelled(told), prose=True)


@click.command()
@click.argument("name", required=False)
@click.option(
    "-p",
    "--param",
    "params",
    multiple=True,
    metavar="KEY=VALUE",
    help="A column filter or a parameter; repeatable.",
)
@common()
def report(asked: Asked, name: str | None, params: Sequence[str]) -> None:
    """Any report by its name; without one, the names that there are."""
    from bindtrace.queries.catalog import REPORTS

    if name is None:
        listed = [{"report": known, "title": REPORTS[known].title} for known in sorted(REPORTS)]
        render.emit("reports", listed, asked.form)
        return
    # A collector may know more reports than this command; with --url, it is the one to say so.
    if name not in REPORTS and asked.url is None:
        raise unknown_name("report", name, list(REPORTS))
    answer(
        asked, name, dict(_pair(param) for param in params), people={"table": lambda rows: _table(name, rows)}
    )


def _table(name: str, rows: Sequence[Row]) -> None:
    from bindtrace.queries.tree import chain_tree

    render.show(
        chain_tree(rows)
        if name == "chain"
        else render.table(name, rows, columns_of(name, rows, keys_of(name)))
    )


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise Refusal(f"`{cells.visible(text)}` is not KEY=VALUE", fix="write it as `--param caller=orders`")
    return key, value
