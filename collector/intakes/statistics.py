"""OTLP metrics of callers that an Envoy refused, to spans that say how many. No I/O.

They count also what leaves no span and no record: a call that the caller did not sample, a record that was lost. A
point becomes an INTERNAL span over its interval, in an instrumentation scope of its own; nothing is concluded of a call
by it, only the rule `unseen-refusal` reads it. Other metrics are not taken: a request without any such count is
answered as one of a signal that is not taken, so that an SDK that exports its metrics here is told so.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric, NumberDataPoint

from bindtrace.collector.intakes.assembly import KINDS, MAX_NANO, SPAN_BYTES, TRACE_BYTES, Assembly, pair
from bindtrace.collector.otlp.undecodable import NotTaken
from bindtrace.propagation import vocabulary as words

OTHER_POINT: Final = (
    "it is no count of refused callers as a delta"
    " (`listener.*.ssl.fail_verify_*`, `http.*.rbac.denied`, `http.*.ext_authz.denied`)"
)
NOT_TAKEN: Final = (
    "metrics are not taken; traces are what this collector takes: send them to /v1/traces or TraceService"
)
_NAMES: Final = (
    re.compile(r"(?:.+\.)?listener\.(?:(?P<place>.+)\.)?(?P<counted>ssl\.fail_verify_\w+)"),
    re.compile(r"(?:.+\.)?http\.(?:(?P<place>.+)\.)?(?P<counted>(?:rbac|ext_authz)\.denied)"),
)
"""Whole names, or less what Envoy takes out of them as a tag, behind the prefix that a sink was given."""
_PLACE_TAGS: Final = ("envoy.listener_address", "envoy.http_conn_manager_prefix")
_MAX_COUNT: Final = 2**53
_DAY_NANO: Final = 86_400 * 10**9


def to_request(metrics: ExportMetricsServiceRequest) -> tuple[ExportTraceServiceRequest, int]:
    """The counts of refused callers that are not 0 as spans, and how many other points there were.

    Raises `NotTaken` where no metric has such a name, unless an Envoy has nothing new to tell.
    """
    assembly, known, others = Assembly(), False, 0
    for resource_metrics in metrics.resource_metrics:
        resource = list(resource_metrics.resource.attributes)
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                named = next((match for name in _NAMES if (match := name.fullmatch(metric.name))), None)
                known = known or named is not None
                for point in _points(metric):
                    count = None if named is None else _count(metric, point)
                    if named is None or count is None:
                        others += 1
                    elif count:
                        _add(assembly, resource, named, point, count)
                others += _of_other_kinds(metric)
    if not known and (others or not metrics.resource_metrics):
        raise NotTaken(NOT_TAKEN)
    return assembly.request, others


def _add(
    assembly: Assembly, resource: list[KeyValue], named: re.Match[str], point: NumberDataPoint, count: int
) -> None:
    """One span; its ids are the point's digest, so that what is sent twice is one."""
    place = named["place"] or next(
        (tag.value.string_value for tag in point.attributes if tag.key in _PLACE_TAGS), ""
    )
    span = assembly.span(
        resource,
        [
            pair("otel.scope.name", words.STATISTICS_SCOPE),
            pair(words.STATISTIC_NAME, named["counted"]),
            pair(words.STATISTIC_PLACE, place),
            pair(words.STATISTIC_COUNT, count),
        ],
    )
    parts: tuple[Message, ...] = (*resource, point)
    key = b"".join((named.string.encode(), *(part.SerializeToString(deterministic=True) for part in parts)))
    digest = hashlib.sha256(key).digest()
    span.trace_id, span.span_id = digest[:TRACE_BYTES], digest[TRACE_BYTES : TRACE_BYTES + SPAN_BYTES]
    span.name, span.kind = f"{named['counted']} counted", KINDS["INTERNAL"]
    span.start_time_unix_nano, span.end_time_unix_nano = _interval(point)


def _interval(point: NumberDataPoint) -> tuple[int, int]:
    """From when to when it was counted. Envoy 1.40 writes the beginning in microseconds."""
    end = point.time_unix_nano
    for start in (point.start_time_unix_nano, point.start_time_unix_nano * 1000):
        if end - _DAY_NANO <= start <= min(end, MAX_NANO):
            return start, end
    return end, end


def _points(metric: Metric) -> list[NumberDataPoint]:
    return [*metric.sum.data_points, *metric.gauge.data_points]


def _of_other_kinds(metric: Metric) -> int:
    return (
        len(metric.histogram.data_points)
        + len(metric.exponential_histogram.data_points)
        + len(metric.summary.data_points)
    )


def _count(metric: Metric, point: NumberDataPoint) -> int | None:
    """None where it is no number of calls, or how many there were since the start."""
    if metric.sum.aggregation_temporality != AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA:
        return None
    value = point.as_int if point.WhichOneof("value") == "as_int" else point.as_double
    return int(value) if 0 <= value <= _MAX_COUNT and value == int(value) else None
