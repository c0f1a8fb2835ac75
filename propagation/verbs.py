"""What the verbs of `bindtrace` are for, a line each: help lists them without loading one. Nothing runs here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SECTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "Collect": {
        "demo": "Run a small shop with six faults, and see them found.",
        "serve": "Collect traces until Ctrl-C: OTLP in, findings out.",
        "import": "Take recorded OTLP, Zipkin, Jaeger or Tempo JSON.",
        "doctor": "Is it set up right, and what to do next.",
        "senders": "Who sends spans, and what became of them.",
        "quarantine": "What could not be stored, and trying it again.",
    },
    "Ask": {
        "findings": "What should not have happened, how sure that is, what to do.",
        "watch": "New findings as they are found, until Ctrl-C.",
        "chains": "Paths that calls take from entry to leaf.",
        "chain": "The calls of one trace as a tree, SVG, HTML or Mermaid.",
        "edges": "Who calls whom, by which road, how often and how fast.",
        "hops": "Single calls with their judgement and evidence.",
        "services": "Every service that was seen or declared.",
        "report": "Any report by its name; without one, the names.",
        "sql": "Your own SQL on a stopped collector's file, read-only.",
        "rules": "Every rule that can raise a finding.",
        "rule": "What one rule looks for, why, and what to do.",
        "dashboards": "Grafana dashboards, data sources and alert rules.",
    },
    "Declare and review": {
        "manifest": "What manifests declare, and their problems.",
        "grants": "What is allowed, by which line, and whether it is used.",
        "check": "Judge recorded OTLP or a database: exit 0, 1 or 2.",
        "review": "What a change of manifests breaks, opens, leaves unused.",
        "policy": "Test a policy: one call, two manifests, stored traffic.",
        "audit": "What an auditor is handed, signed; and verifying it.",
    },
    "Guard": {
        "run": "Start a service with its bindings and its identity.",
        "authority": "Certificates and tokens that rotate by themselves.",
        "authz": "Decide for the proxy in front of a service.",
        "proxy": "Write the configuration of Envoy, nginx or Caddy.",
        "js": "Print the propagator and span processor for JavaScript.",
    },
    "Keep": {
        "export": "Write telemetry as OTLP JSON lines or Parquet.",
        "backup": "Copy a stopped collector's database, and its lake.",
        "restore": "Make a new database of a backup, verified.",
        "migrate": "Bring an older database to this version.",
        "rebuild": "Compute every hop anew from the stored spans.",
        "forget-lake": "Give up a lake that is lost for good.",
    },
}
