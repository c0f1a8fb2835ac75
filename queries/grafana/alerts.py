"""Alert and recording rules, once, for a real Prometheus and for Grafana's own alerting. Data, written two ways."""

from __future__ import annotations

from typing import Any, Final, NamedTuple


class Alert(NamedTuple):
    """One alert: its expression is above 0 while it is true."""

    name: str
    expr: str
    minutes: int
    severity: str
    summary: str
    description: str


class Recording(NamedTuple):
    record: str
    expr: str


RECORDINGS: Final = (
    Recording(
        "bindtrace:calls:rate5m",
        "sum by (caller, callee, road, verdict) (rate(bindtrace_calls_total[5m]))",
    ),
    Recording(
        "bindtrace:verified:ratio5m",
        'sum(rate(bindtrace_calls_total{grade=~"proven|verified"}[5m])) / sum(rate(bindtrace_calls_total[5m]))',
    ),
)

ALERTS: Final = (
    Alert(
        "BindtraceHighFinding",
        'sum by (rule, severity, environment) (bindtrace_findings{severity=~"critical|high"})',
        1,
        "high",
        "{{ $value }} open {{ $labels.severity }} finding(s) of {{ $labels.rule }}",
        "`bindtrace findings` says what happened, how sure it is, and what to do.",
    ),
    Alert(
        "BindtraceIngestRefused",
        'sum(increase(bindtrace_receiver_spans_total{result=~"rejected|refused"}[5m]))',
        5,
        "medium",
        "{{ $value }} spans were refused or rejected in five minutes",
        "`bindtrace senders` names the senders and the reasons.",
    ),
    Alert(
        "BindtraceUnaccounted",
        "abs(bindtrace_accounting_difference)",
        5,
        "critical",
        "Spans are unaccounted for",
        "What was accepted is neither stored, nor a duplicate, nor set aside; see `bindtrace doctor`.",
    ),
    Alert(
        "BindtraceStorageAway",
        "1 - bindtrace_storage_ready",
        2,
        "high",
        "Storage does not load or answer",
        "Receivers go on into the journal; `bindtrace doctor` says why.",
    ),
    Alert(
        "BindtraceRotationStalled",
        "max by (service) (bindtrace_credential_age_seconds) - 2400",
        1,
        "medium",
        "{{ $labels.service }} shows a credential past two thirds of an hour, the default life",
        "Its agent cannot reach the authority, or has stopped; `bindtrace findings` says more.",
    ),
)


def prometheus_rules() -> dict[str, Any]:
    """A rule file for Prometheus, which scrapes `/metrics`."""
    return {
        "groups": [
            {"name": "bindtrace-recordings", "rules": [one._asdict() for one in RECORDINGS]},
            {
                "name": "bindtrace-alerts",
                "rules": [
                    {
                        "alert": one.name,
                        "expr": f"{one.expr} > 0",
                        "for": f"{one.minutes}m",
                        "labels": {"severity": one.severity},
                        "annotations": {"summary": one.summary, "description": one.description},
                    }
                    for one in ALERTS
                ],
            },
        ]
    }


def grafana_rules() -> dict[str, Any]:
    """The same alerts, provisioned into Grafana, which asks the collector itself."""
    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": "bindtrace",
                "folder": "bindtrace",
                "interval": "1m",
                "rules": [_grafana_rule(one) for one in ALERTS],
            }
        ],
    }


def _grafana_rule(one: Alert) -> dict[str, Any]:
    return {
        "uid": one.name.lower(),
        "title": one.name,
        "condition": "B",
        "for": f"{one.minutes}m",
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": {"severity": one.severity},
        "annotations": {
            # Grafana's own templates name the value by the query's letter
            "summary": one.summary.replace("$value", "$values.A.Value"),
            "description": one.description,
        },
        "data": [
            {
                "refId": "A",
                "datasourceUid": "bindtrace-prometheus",
                "relativeTimeRange": {"from": 600, "to": 0},
                "model": {"refId": "A", "expr": one.expr, "instant": True, "range": False},
            },
            {
                "refId": "B",
                "datasourceUid": "__expr__",
                "model": {
                    "refId": "B",
                    "type": "threshold",
                    "expression": "A",
                    "conditions": [{"evaluator": {"type": "gt", "params": [0]}}],
                },
            },
        ],
    }
