"""Who sent a resource's spans, where that matters: an attribute that only the receiver writes. No I/O here.

A sender that proved to be a workload and speaks for another service is named on that resource, and whoever sends what
an authority tells is named too. All others are left as they came, so that a request is not
written anew for what nobody would ask.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from bindtrace.propagation import vocabulary as words
from bindtrace.propagation.absent import Absent
from bindtrace.propagation.concepts import RESOURCE_CONCEPTS
from bindtrace.propagation.identity.spiffe import Workload, parse_workload

_SERVICE, _ENVIRONMENT = (
    next(concept.keys for concept in RESOURCE_CONCEPTS if concept.column == column)
    for column in ("service", "environment")
)
_WRITTEN: Final = words.EXPORTER.encode()


def name_exporter(request: ExportTraceServiceRequest, body: bytes | None, exporter: str) -> bool:
    """Writes who sent it where that matters, takes out what a sender wrote there; whether anything changed.

    `body` is the request's own bytes, where there are any; `exporter` who the sender proved to be, or empty.
    """
    changed = False
    forged = body is None or _WRITTEN in body
    if not (forged or exporter):  # a resource costs a microsecond to look at
        return False
    for resource_spans in request.resource_spans:
        attributes = resource_spans.resource.attributes
        if forged:
            for at in reversed(range(len(attributes))):
                if attributes[at].key == words.EXPORTER:
                    del attributes[at]
                    changed = True
        if exporter and (_speaks_for_another(exporter, attributes) or _tells_of_issues(resource_spans)):
            attributes.add(key=words.EXPORTER).value.string_value = exporter
            changed = True
    return changed


def _tells_of_issues(resource_spans: ResourceSpans) -> bool:
    return any(held.scope.name == words.ISSUER_SCOPE for held in resource_spans.scope_spans)


def _speaks_for_another(exporter: str, attributes: Iterable[KeyValue]) -> bool:
    """By the resource's own words; what they mean by the settings, the queries know (`identities`)."""
    workload = _workload(exporter)
    if workload is None:
        return False
    said = {attribute.key: attribute.value.string_value for attribute in attributes}
    service = next((said[key] for key in _SERVICE if said.get(key)), workload.service)
    environment = next((said[key] for key in _ENVIRONMENT if said.get(key)), workload.environment)
    return (service, environment) != (workload.service, workload.environment)


@lru_cache(4096)
def _workload(exporter: str) -> Workload | None:
    found = parse_workload(exporter)
    return None if isinstance(found, Absent) else found
