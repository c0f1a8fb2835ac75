"""The six dashboards. Each answers one question and leads to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from grafana_foundation_sdk.builders import nodegraph, table, tempo
from grafana_foundation_sdk.models import dashboard as models

from bindtrace.queries.grafana.frame import Placed, framed
from bindtrace.queries.grafana.panels import (
    TEMPO,
    figure,
    lines,
    linked,
    next_question,
    now,
    prom,
    rows,
    trace_url,
    traces,
)

OVERVIEW, MAP, CHAINS = "bindtrace-overview", "bindtrace-map", "bindtrace-chains"
FINDINGS, IDENTITY, COLLECTOR = "bindtrace-findings", "bindtrace-identity", "bindtrace-collector"

_IN = 'environment=~"$environment"'
_TO = f'{_IN},callee=~"$service"'
_INSIDE = f'{_TO},caller!="(external)"'
_VERIFIED_SHARE = (
    f'(sum(increase(bindtrace_calls_total{{{_INSIDE},grade=~"proven|verified"}}[$__range])) or vector(0))'
    f" / sum(increase(bindtrace_calls_total{{{_INSIDE}}}[$__range]))"
)
_FINDING = f'bindtrace_finding{{{_IN},severity=~"$severity"}}'


def overview() -> models.Dashboard:
    """Is anything wrong, and is it getting worse?"""
    return framed(
        OVERVIEW, "Bindings overview", "Is anything wrong, and is it getting worse?",
        ("environment", "service", "binding", "severity"),
        [
            Placed(
                figure("Open findings", "Findings that nobody accepted.",
                       f'sum(bindtrace_findings{{{_IN},severity=~"$severity"}}) or vector(0)', bad_from=1)
                .links([next_question("Which?", FINDINGS)]), 6, 4),
            Placed(
                figure("Unauthorized calls", "Calls of this time that the manifests do not allow.",
                       f'sum(increase(bindtrace_calls_total{{{_TO},verdict="denied"}}[$__range])) or vector(0)',
                       bad_from=1).links([next_question("Why?", FINDINGS)]), 6, 4),
            Placed(
                figure("Public-routed internal calls", "Calls between our own services that left by a public road.",
                       f'sum(increase(bindtrace_calls_total{{{_INSIDE},road="public"}}[$__range])) or vector(0)',
                       bad_from=1).links([next_question("By which chains?", CHAINS)]), 6, 4),
            Placed(
                figure("Share proven or verified", "Calls whose caller a receiver validated; the rest is claimed.",
                       _VERIFIED_SHARE, "percentunit")
                .links([next_question("Who is not?", IDENTITY)]), 6, 4),
            Placed(
                lines("Calls that break a rule, by severity", "How often, over time; a call counts once for each rule.",
                      [prom('sum by (severity) (increase(bindtrace_flagged_calls_total'
                            f'{{{_IN},severity=~"$severity",callee=~"$service"}}[$__interval]))', "{{severity}}")],
                      stacked=True).links([next_question("Which findings?", FINDINGS)]), 12, 8),
            Placed(
                lines("Calls by verdict", "Allowed, denied, and what nobody could say.",
                      [prom(f"sum by (verdict) (rate(bindtrace_calls_total{{{_TO}}}[$__rate_interval]))",
                            "{{verdict}}")], "reqps", stacked=True)
                .links([next_question("Who calls whom?", MAP)]), 12, 8),
            Placed(
                lines("Internal calls by road", "The binding keeps traffic inside; public leaves and comes back.",
                      [prom(f"sum by (road) (rate(bindtrace_calls_total{{{_INSIDE}}}[$__rate_interval]))",
                            "{{road}}")], "reqps", stacked=True)
                .links([next_question("By which chains?", CHAINS)]), 12, 8),
            Placed(
                lines("Internal calls by grade", "How sure we are of the caller.",
                      [prom(f"sum by (grade) (rate(bindtrace_calls_total{{{_INSIDE}}}[$__rate_interval]))",
                            "{{grade}}")], "reqps", stacked=True)
                .links([next_question("Who is not verified?", IDENTITY)]), 12, 8),
            Placed(
                rows("Bindings", "Calls of this time by the binding that they went by, or should have.",
                     [now("sum by (binding, caller, callee, road, verdict) (increase(bindtrace_binding_calls_total"
                          f'{{{_TO},binding=~"$binding"}}[$__range]))')],
                     {"binding": "Binding", "caller": "Caller", "callee": "Callee", "road": "Road",
                      "verdict": "Verdict", "Value": "Calls"})
                .links([next_question("The whole chains", CHAINS)]), 24, 9),
        ],
    )  # fmt: skip


def service_map() -> models.Dashboard:
    """Who calls whom, how, and with what right?"""
    edges = "increase(bindtrace_calls_total{%s}[$__range])" % _TO  # noqa: UP031  # braces of PromQL
    graph = (
        nodegraph.Panel()
        .title("Service graph")
        .datasource(TEMPO)
        .with_target(tempo.TempoQuery().datasource(TEMPO).query_type("serviceMap").ref_id("A"))
        .description(
            "Proxies are folded away. Its colours are errors; verdicts and roads are in the table below."
        )
        .links([next_question("The whole paths", CHAINS)])
    )
    table_of_edges = rows(
        "Edges", "Every caller, callee and road: the built-in graph cannot colour its edges, this can.",
        [
            now(f"sum by (caller, callee, road, verdict) ({edges})", "A"),
            now("sum by (caller, callee, road, verdict) (increase(bindtrace_call_duration_seconds_sum"
                f"{{{_TO}}}[$__range])) / sum by (caller, callee, road, verdict) "
                f"(increase(bindtrace_call_duration_seconds_count{{{_TO}}}[$__range]))", "B"),
        ],
        {"caller": "Caller", "callee": "Callee", "road": "Road", "verdict": "Verdict", "Value #A": "Calls",
         "Value #B": "Mean duration"},
        {"Mean duration": "s"},
    ).links([next_question("What is wrong with it?", FINDINGS)])  # fmt: skip
    slowest = lines(
        "Slowest edges", "95th percentile of the caller's wait, the ten slowest.",
        [prom("topk(10, histogram_quantile(0.95, sum by (caller, callee, le) "
              f"(rate(bindtrace_call_duration_seconds_bucket{{{_TO}}}[$__rate_interval]))))",
              "{{caller}} → {{callee}}")], "s",
    ).links([next_question("Does it cost a chain?", CHAINS)])  # fmt: skip
    return framed(
        MAP, "Service map", "Who calls whom, how, and with what right?", ("environment", "service"),
        [Placed(graph, 24, 14), Placed(table_of_edges, 14, 11), Placed(slowest, 10, 11)],
    )  # fmt: skip


def chains() -> models.Dashboard:
    """Which paths do requests take, and where does their time go?"""
    kept = f'{_IN},chain=~".*($service).*"'
    top = rows(
        "Chains", "Every path from entry to leaf, the most frequent first.",
        [
            now(f"sum by (chain, verdict, road) (increase(bindtrace_chains_total{{{kept}}}[$__range]))", "A"),
            now("histogram_quantile(0.95, sum by (chain, verdict, road, le) (increase("
                f"bindtrace_chain_duration_seconds_bucket{{{kept}}}[$__range])))", "B"),
        ],
        {"chain": "Chain", "verdict": "Verdict", "road": "Road", "Value #A": "Times", "Value #B": "p95"}, {"p95": "s"},
    ).links([next_question("What is wrong with them?", FINDINGS)])  # fmt: skip
    latency = lines(
        "Latency by chain", "95th percentile of the ten slowest.",
        [prom("topk(10, histogram_quantile(0.95, sum by (chain, le) (rate(bindtrace_chain_duration_seconds_bucket"
              f"{{{kept}}}[$__rate_interval]))))", "{{chain}}")], "s",
    ).links([next_question("Which edge is slow?", MAP)])  # fmt: skip
    critical = lines(
        "Critical path", "Seconds a second that chains waited for each call alone: what to make faster first.",
        [prom("topk(10, sum by (caller, callee) (rate(bindtrace_critical_path_seconds_total"
              f"{{{_TO}}}[$__rate_interval])))", "{{caller}} → {{callee}}")], "s", stacked=True,
    ).links([next_question("How often is it called?", MAP)])  # fmt: skip
    return framed(
        CHAINS, "Chains", "Which paths do requests take, and where does their time go?", ("environment", "service"),
        [
            Placed(top, 24, 10), Placed(latency, 12, 9), Placed(critical, 12, 9),
            Placed(_search("Traces with a public road inside", '{ span.bindtrace.road = "public" && kind = client }',
                           "The latest; open one to see its spans with their judgements."), 12, 9),
            Placed(_search("Traces with a denied call", '{ span.bindtrace.verdict = "denied" }',
                           "The latest; open one to see its spans with their judgements."), 12, 9),
        ],
    )  # fmt: skip


def findings() -> models.Dashboard:
    """What should not have happened, how sure is it, and what is the fix?"""
    every = rows(
        "Findings", "What is open now, with its evidence: the trace of the latest call.",
        [now(_FINDING)],
        {"severity": "Severity", "rule": "Rule", "grade": "Grade", "confidence": "Confidence", "caller": "Caller",
         "callee": "Callee", "environment": "Environment", "Value": "Calls", "message": "What happened",
         "fix": "What to do", "trace_id": "Trace", "id": "Id"},
    )  # fmt: skip
    every = linked(every, "Trace", "Open the trace", trace_url("Trace")).links(
        [next_question("On which chains?", CHAINS)]
    )
    return framed(
        FINDINGS, "Findings", "What should not have happened, how sure is it, and what is the fix?",
        ("environment", "service", "severity"),
        [
            Placed(every, 24, 12),
            Placed(
                lines("Calls that break a rule, by rule", "How often, over time.",
                      [prom('sum by (rule) (increase(bindtrace_flagged_calls_total'
                            f'{{{_IN},severity=~"$severity",callee=~"$service"}}[$__interval]))', "{{rule}}")],
                      stacked=True).links([next_question("Who calls whom?", MAP)]), 12, 9),
            Placed(_search("Traces with a finding", "{ span.bindtrace.finding != nil }",
                           "The latest traces in which a call breaks a rule."), 12, 9),
        ],
    )  # fmt: skip


def identity() -> models.Dashboard:
    """Do credentials rotate, and who is refused, for what?"""
    return framed(
        IDENTITY, "Identity", "Do credentials rotate, and who is refused, for what?", ("environment", "service"),
        [
            Placed(
                figure("Share proven or verified", "Calls whose caller a receiver validated.",
                       _VERIFIED_SHARE, "percentunit")
                .links([next_question("What else is wrong?", FINDINGS)]), 6, 8),
            Placed(
                lines("Denials by reason", "What receivers and manifests refuse, by their reason.",
                      [prom('sum by (reason) (increase(bindtrace_denials_total{callee=~"$service"}[$__interval]))',
                            "{{reason}}")], stacked=True).links([next_question("Which calls?", FINDINGS)]), 18, 8),
            Placed(
                rows("Age of the credential last shown", "Rotation is due at half of a credential's life.",
                     [now('bindtrace_credential_age_seconds{service=~"$service"}')],
                     {"service": "Service", "Value": "Age"}, {"Age": "s"})
                .links([next_question("Is it flagged?", FINDINGS)]), 10, 9),
            Placed(
                rows("Callers by grade", "Who is verified, and by whom nobody asks.",
                     [now(f"sum by (caller, callee, grade) (increase(bindtrace_calls_total{{{_INSIDE}}}[$__range]))")],
                     {"caller": "Caller", "callee": "Callee", "grade": "Grade", "Value": "Calls"})
                .links([next_question("The whole map", MAP)]), 14, 9),
        ],
    )  # fmt: skip


def collector() -> models.Dashboard:
    """Is everything that was sent also stored?"""
    return framed(
        COLLECTOR, "Collector health", "Is everything that was sent also stored?", (),
        [
            Placed(figure("Storage", "1 while it loads and answers.", "bindtrace_storage_ready"), 4, 4),
            Placed(figure("Journal", "Received and acknowledged, not stored yet.", "bindtrace_journal_bytes", "bytes"),
                   5, 4),
            Placed(figure("Write-ahead log", "Since the last checkpoint.", "bindtrace_wal_bytes", "bytes"), 5, 4),
            Placed(figure("Unaccounted spans", "Neither stored, a duplicate, nor set aside: must be 0.",
                          "bindtrace_accounting_difference", bad_from=1), 5, 4),
            Placed(figure("Faults on record", "Fatal errors of the database, and databases set aside.",
                          "bindtrace_storage_faults + bindtrace_databases_set_aside", bad_from=1), 5, 4),
            Placed(
                lines("Spans by what became of them", "As receivers and loader counted.",
                      [prom("sum by (result) (rate(bindtrace_receiver_spans_total[$__rate_interval]))", "{{result}}")],
                      "short").links([next_question("What do they say?", OVERVIEW)]), 12, 9),
            Placed(
                lines("Refused and rejected, by reason", "Senders are told; nothing is dropped in silence.",
                      [prom('sum by (result, reason) (increase(bindtrace_receiver_spans_total'
                            '{result=~"rejected|refused|quarantined|redacted"}[$__interval]))',
                            "{{result}} {{reason}}")]).links([next_question("What do they say?", OVERVIEW)]), 12, 9),
        ],
    )  # fmt: skip


def _search(title: str, query: str, about: str) -> table.Panel:
    panel = table.Panel().title(title).description(about).datasource(TEMPO).with_target(traces(query))
    return panel.links([next_question("Its findings", FINDINGS)])


BOARDS: Final[dict[str, Callable[[], models.Dashboard]]] = {
    "overview": overview,
    "service-map": service_map,
    "chains": chains,
    "findings": findings,
    "identity": identity,
    "collector": collector,
}
"""By the name of the file."""
