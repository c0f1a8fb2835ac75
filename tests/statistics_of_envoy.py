"""OTLP metrics as Envoy's OpenTelemetry stats sink sends them of callers that it refused."""

from __future__ import annotations

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
TAGS = {"listener": "envoy.listener_address", "http": "envoy.http_conn_manager_prefix"}
PLACES = {"listener": "0.0.0.0_8443", "http": "inbound"}
END = 1_795_641_742_332_742_000
START_MICROS = 1_795_641_737_332_979
"""As Envoy 1.40 writes the beginning of an interval."""


def metrics(
    *counts: tuple[str, int], at: int = END, temporality: AggregationTemporality = DELTA
) -> ExportMetricsServiceRequest:
    """Counters by the names that Envoy gives them when it sends tags as attributes, and how much they grew."""
    request = ExportMetricsServiceRequest()
    told = request.resource_metrics.add()
    for key, value in {
        "service.name": "inventory",
        "telemetry.sdk.name": "envoy",
        "deployment.environment.name": "production",
    }.items():
        told.resource.attributes.add(key=key).value.string_value = value
    held = told.scope_metrics.add()
    for name, count in counts:
        metric = held.metrics.add(name=name)
        metric.sum.aggregation_temporality, metric.sum.is_monotonic = temporality, True
        start = START_MICROS + (at - END) // 1000
        point = metric.sum.data_points.add(start_time_unix_nano=start, time_unix_nano=at, as_int=count)
        where = name.split(".")[0]
        if where in TAGS:
            point.attributes.add(key=TAGS[where]).value.string_value = PLACES[where]
    return request
