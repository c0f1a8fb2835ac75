"""Envoy's statistics of refused callers, as OTLP metrics: they count what leaves no span and no record too. No I/O.

Only those are sent, by their names in Envoy's documentation, as what has come since the last time (deltas).
"""

from __future__ import annotations

from typing import Final

from bindtrace.propagation.proxies.envoy_clusters import COLLECTOR
from bindtrace.propagation.proxies.envoy_manager import resource_detectors
from bindtrace.propagation.proxies.envoy_rules import TYPE, Block
from bindtrace.propagation.proxies.plan import Sidecar

_SINK: Final = f"{TYPE}.extensions.stat_sinks.open_telemetry.v3.SinkConfig"
_INPUT: Final = f"{TYPE}.extensions.matching.common_inputs.stats.v3.StatFullNameMatchInput"
REFUSALS: Final = (
    r"listener\..+\.ssl\.fail_verify_(error|no_cert|san|cert_hash)",
    r"http\..+\.(rbac|ext_authz)\.denied",
)
"""Whole names, as Envoy's `/stats` shows them. Of clusters there are names alike, which count refused callees."""


def statistics_sink(sidecar: Sidecar) -> Block:
    """For a bootstrap's `stats_sinks`."""
    return {
        "name": "envoy.stat_sinks.open_telemetry",
        "typed_config": {
            "@type": _SINK,
            "grpc_service": {"envoy_grpc": {"cluster_name": COLLECTOR}, "timeout": "5s"},
            "resource_detectors": resource_detectors(
                {"service.name": sidecar.service.service, **sidecar.resource}
            ),
            "report_counters_as_deltas": True,
            "custom_metric_conversions": {"matcher_list": {"matchers": [_others_dropped()]}},
        },
    }


def _others_dropped() -> Block:
    named = {"name": "name", "typed_config": {"@type": _INPUT}}
    match = {"safe_regex": {"google_re2": {}, "regex": "|".join(REFUSALS)}}
    drop = {"name": "drop", "typed_config": {"@type": f"{_SINK}.DropAction"}}
    return {
        "predicate": {"not_matcher": {"single_predicate": {"input": named, "value_match": match}}},
        "on_match": {"action": drop},
    }
