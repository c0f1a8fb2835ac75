"""Every file that Grafana needs, by its path below the folder of dashboards: what `dashboards export` writes. Pure."""

from __future__ import annotations

from typing import Any, Final

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from bindtrace.queries.grafana.alerts import grafana_rules, prometheus_rules
from bindtrace.queries.grafana.boards import BOARDS

_NOTE: Final = "# Written by `bindtrace dashboards export`; the builders are in queries/grafana/.\n"

_DATA_SOURCES: Final[dict[str, Any]] = {
    "apiVersion": 1,
    "datasources": [
        {
            "name": "bindtrace traces",
            "uid": "bindtrace-tempo",
            "type": "tempo",
            "access": "proxy",
            "url": "$BINDTRACE_URL/tempo",
            "jsonData": {
                "serviceMap": {"datasourceUid": "bindtrace-prometheus"},
                "nodeGraph": {"enabled": True},
                "streamingEnabled": {"search": False, "metrics": False},
                "httpHeaderName1": "Authorization",
            },
            "secureJsonData": {"httpHeaderValue1": "Bearer $BINDTRACE_API_TOKEN"},
        },
        {
            "name": "bindtrace metrics",
            "uid": "bindtrace-prometheus",
            "type": "prometheus",
            "access": "proxy",
            "url": "$BINDTRACE_URL/prometheus",
            "jsonData": {
                "httpMethod": "POST",
                "prometheusType": "Prometheus",
                "timeInterval": "15s",
                "httpHeaderName1": "Authorization",
            },
            "secureJsonData": {"httpHeaderValue1": "Bearer $BINDTRACE_API_TOKEN"},
        },
        {
            "name": "bindtrace chains (Jaeger)",
            "uid": "bindtrace-jaeger",
            "type": "jaeger",
            "access": "proxy",
            "url": "$BINDTRACE_URL/jaeger",
            "jsonData": {"nodeGraph": {"enabled": True}, "httpHeaderName1": "Authorization"},
            "secureJsonData": {"httpHeaderValue1": "Bearer $BINDTRACE_API_TOKEN"},
        },
    ],
}

_PROVIDER: Final[dict[str, Any]] = {
    "apiVersion": 1,
    "providers": [
        {
            "name": "bindtrace",
            "folder": "bindtrace",
            "type": "file",
            "options": {"path": "/var/lib/grafana/dashboards/bindtrace"},
        }
    ],
}


def files() -> dict[str, str]:
    """Path to text: the dashboards, their provisioning, the alert rules."""
    encoder = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False)
    return {
        **{f"{name}.json": encoder.encode(build()) + "\n" for name, build in BOARDS.items()},
        "provisioning/datasources/bindtrace.yaml": _yaml(_DATA_SOURCES),
        "provisioning/dashboards/bindtrace.yaml": _yaml(_PROVIDER),
        "provisioning/alerting/bindtrace.yaml": _yaml(grafana_rules()),
        "prometheus/bindtrace.rules.yaml": _yaml(prometheus_rules()),
    }


def _yaml(value: dict[str, Any]) -> str:
    return _NOTE + str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110))
