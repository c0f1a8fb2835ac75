"""Every metric that can be asked for: one table, from name to events and to what is made of them. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["counter", "histogram", "gauge"]
Part = Literal["count", "sum", "bucket", "value"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: the SQL file of its events, empty for a gauge, and its labels."""

    name: str
    kind: Kind
    source: str
    labels: tuple[str, ...]
    help: str
    bounds_s: tuple[float, ...] = ()
    only: str = ""
    """A column of the events that must be true."""
    total: str = "_total"
    """What a counter's name ends in."""


CALL_BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
GRAPH_BOUNDS_S: Final = tuple(0.1 * 2**n for n in range(8))  # Tempo's default
SPAN_BOUNDS_S: Final = tuple(0.002 * 2**n for n in range(14))  # Tempo's default
_CALL: Final = ("caller", "callee", "environment", "road", "verdict")
_CHAIN: Final = ("chain", "entry", "environment", "verdict", "road")
_EDGE: Final = ("client", "server", "connection_type", "bindtrace_road", "bindtrace_verdict")
_SPAN: Final = ("service", "span_name", "span_kind", "status_code")

_OWN_GAUGES: Final = {
    "bindtrace_journal_bytes": "Journal that is not stored yet.",
    "bindtrace_wal_bytes": "Write-ahead log since the last checkpoint.",
    "bindtrace_storage_ready": "1 while storage loads and answers.",
    "bindtrace_lake_ready": "1 while the lake takes what is sealed.",
    "bindtrace_accounting_difference": "Spans that are neither stored, a duplicate, nor set aside: must be 0.",
    "bindtrace_storage_faults": "Fatal errors of the database on record.",
    "bindtrace_databases_set_aside": "Damaged databases on record.",
}

METRICS: Final = (
    Metric("bindtrace_calls", "counter", "calls", (*_CALL, "grade"), "Calls that are stored."),
    Metric(
        "bindtrace_call_duration_seconds",
        "histogram",
        "calls",
        _CALL,
        "How long calls took, as the caller saw it.",
        CALL_BOUNDS_S,
    ),
    Metric(
        "bindtrace_denials", "counter", "denials", ("callee", "reason"), "Calls that the decision refuses."
    ),
    Metric(
        "bindtrace_receiver_spans",
        "counter",
        "receiver_spans",
        ("result", "reason"),
        "Spans by the receivers' answer and reason.",
    ),
    Metric(
        "bindtrace_flagged_calls",
        "counter",
        "flagged_calls",
        ("rule", "severity", "caller", "callee", "environment"),
        "Calls that break a rule.",
    ),
    Metric(
        "bindtrace_binding_calls",
        "counter",
        "binding_calls",
        ("binding", "caller", "callee", "environment", "road", "verdict"),
        "Calls for which there is a binding.",
    ),
    Metric("bindtrace_chains", "counter", "chains", _CHAIN, "Ways from entry to leaf."),
    Metric(
        "bindtrace_chain_duration_seconds",
        "histogram",
        "chains",
        _CHAIN,
        "How long chains took.",
        CALL_BOUNDS_S,
    ),
    Metric(
        "bindtrace_critical_path_seconds",
        "counter",
        "critical_path",
        ("caller", "callee", "environment"),
        "What each call alone cost the chains that waited for it.",
    ),
    Metric("bindtrace_findings", "gauge", "", ("rule", "severity", "environment"), "Findings that are open."),
    Metric(
        "bindtrace_credential_age_seconds", "gauge", "", ("service",), "Age of the credential last shown."
    ),
    Metric(
        "bindtrace_finding",
        "gauge",
        "",
        (
            "id",
            "rule",
            "severity",
            "grade",
            "confidence",
            "caller",
            "callee",
            "environment",
            "message",
            "fix",
            "trace_id",
        ),
        "Calls of each open finding, with what it says.",
    ),
    *(Metric(name, "gauge", "", (), text) for name, text in _OWN_GAUGES.items()),
    Metric("traces_service_graph_request", "counter", "service_graph", _EDGE, "Calls between services."),
    Metric(
        "traces_service_graph_request_failed",
        "counter",
        "service_graph",
        _EDGE,
        "Calls between services that failed.",
        only="error",
    ),
    Metric(
        "traces_service_graph_request_server_seconds",
        "histogram",
        "service_graph",
        _EDGE,
        "How long calls between services took.",
        GRAPH_BOUNDS_S,
    ),
    Metric(
        "traces_service_graph_request_client_seconds",
        "histogram",
        "service_graph",
        _EDGE,
        "How long calls between services took.",
        GRAPH_BOUNDS_S,
    ),
    Metric("traces_spanmetrics_calls", "counter", "span_metrics", _SPAN, "Spans."),
    Metric(
        "traces_spanmetrics_latency",
        "histogram",
        "span_metrics",
        _SPAN,
        "How long spans took.",
        SPAN_BOUNDS_S,
    ),
)


def _named(metric: Metric) -> dict[str, tuple[Metric, Part]]:
    if metric.kind == "gauge":
        return {metric.name: (metric, "value")}
    if metric.kind == "counter":
        return {metric.name + metric.total: (metric, "count")}
    return {
        f"{metric.name}_count": (metric, "count"),
        f"{metric.name}_sum": (metric, "sum"),
        f"{metric.name}_bucket": (metric, "bucket"),
    }


SERIES: Final[dict[str, tuple[Metric, Part]]] = {
    name: found for metric in METRICS for name, found in _named(metric).items()
}
"""By the names that a query uses."""
