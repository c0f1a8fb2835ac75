"""What every foreign format needs to become OTLP: ids, times, values, and spans gathered by resource. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from bindtrace.collector.otlp.undecodable import Undecodable

TRACE_BYTES: Final = 16
SPAN_BYTES: Final = 8
MAX_NANO: Final = 2**64 - 1
KINDS: Final[dict[str, Span.SpanKind.ValueType]] = {
    "INTERNAL": Span.SPAN_KIND_INTERNAL,
    "SERVER": Span.SPAN_KIND_SERVER,
    "CLIENT": Span.SPAN_KIND_CLIENT,
    "PRODUCER": Span.SPAN_KIND_PRODUCER,
    "CONSUMER": Span.SPAN_KIND_CONSUMER,
}
_SCOPE: Final = ("otel.scope.name", "otel.scope.version")
_STATUS_CODES: Final = {"ERROR": Status.STATUS_CODE_ERROR, "OK": Status.STATUS_CODE_OK}
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_WRONG: Final = b"invalid"  # 7 bytes are no id: admission rejects that span by its reason, and keeps the rest


class Assembly:
    """A request that grows span by span; spans of equal resource and scope stand together, in order of arrival."""

    def __init__(self) -> None:
        self.request = ExportTraceServiceRequest()
        self._places: dict[tuple[bytes, ...], ScopeSpans] = {}
        self._resources: dict[tuple[bytes, ...], int] = {}

    def span(self, resource: list[KeyValue], tags: list[KeyValue]) -> Span:
        """A span at its place, with the tags as its attributes but for those that name its instrumentation scope."""
        named = {tag.key: tag.value.string_value for tag in tags if tag.key in _SCOPE}
        span = self._placed(resource, (named.get(_SCOPE[0], ""), named.get(_SCOPE[1], "")))
        span.attributes.extend(tag for tag in tags if tag.key not in _SCOPE)
        return span

    def _placed(self, resource: list[KeyValue], scope: tuple[str, str]) -> Span:
        """An empty span; `scope` is name and version of the instrumentation."""
        who = tuple(pair.SerializeToString(deterministic=True) for pair in resource)
        where = (*who, scope[0].encode(), scope[1].encode())
        place = self._places.get(where)
        if place is None:
            place = self._resource_spans(who, resource).scope_spans.add()
            place.scope.name, place.scope.version = scope
            self._places[where] = place
        span: Span = place.spans.add()
        return span

    def _resource_spans(self, who: tuple[bytes, ...], resource: list[KeyValue]) -> ResourceSpans:
        if who not in self._resources:
            self._resources[who] = len(self.request.resource_spans)
            self.request.resource_spans.add().resource.attributes.extend(resource)
        found: ResourceSpans = self.request.resource_spans[self._resources[who]]
        return found


def id_bytes(value: object, size: int) -> bytes:
    """Hex of at most `size` bytes, padded on the left: Zipkin's 64-bit trace ids, Jaeger's without leading zeros.

    What is no such id becomes bytes of a wrong length, which admission rejects.
    """
    if not isinstance(value, str) or not 0 < len(value) <= 2 * size or not is_hex(value):
        return _WRONG
    return bytes.fromhex(value.rjust(2 * size, "0"))


def is_hex(text: str) -> bool:
    """Whether every character is a hex digit, in either case."""
    return _HEX.issuperset(text)


def nano(micros: object, where: str) -> int:
    """Microseconds, as a number or its text, in nanoseconds. Raises `Undecodable` naming `where`."""
    if isinstance(micros, bool) or not isinstance(micros, str | int | float):
        raise Undecodable(f"microseconds are a number, not {type(micros).__name__}", where)
    try:
        # A float's fraction is kept only where there is one: times of today in float micros are exact to 1/8.
        found = round(micros * 1000) if isinstance(micros, float) else int(micros) * 1000
    except (ValueError, OverflowError):
        raise Undecodable("microseconds are a whole number", where) from None
    if not 0 <= found <= MAX_NANO:
        raise Undecodable("the time is outside of what OTLP holds", where)
    return found


def text(value: object, where: str) -> str:
    """A JSON scalar as text, `true` and numbers as JSON writes them. Raises `Undecodable` for the rest."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
    raise Undecodable("text is expected", where)


def objects(value: object, where: str) -> list[dict[str, Any]]:
    """A list of objects; null is none. Raises `Undecodable`."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Undecodable("a list of objects is expected", where)
    return value


def an_object(value: object, where: str) -> dict[str, Any]:
    """An object; null is an empty one. Raises `Undecodable`."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Undecodable("an object is expected", where)
    return value


def pair(key: str, value: str | bool | int | float | bytes) -> KeyValue:
    """One attribute, typed as the value is. An integer past 64 bits is its text."""
    match value:
        case bool():
            found = AnyValue(bool_value=value)
        case int() if -(2**63) <= value < 2**63:
            found = AnyValue(int_value=value)
        case int():
            found = AnyValue(string_value=str(value))
        case float():
            found = AnyValue(double_value=value)
        case bytes():
            found = AnyValue(bytes_value=value)
        case _:
            found = AnyValue(string_value=value)
    return KeyValue(key=key, value=found)


def set_status(span: Span) -> None:
    """Status from the tags that carry it where a format has none, and those of OpenTelemetry's exporters taken out.

    `otel.status_code` and `otel.status_description` say it exactly (OpenTelemetry, SDK exporters to non-OTLP). The
    tag `error` means an error by being there (Zipkin), unless it says false (OpenTracing); its text is the message.
    """
    tags = {attribute.key: attribute.value for attribute in span.attributes}
    code = _STATUS_CODES.get(tags["otel.status_code"].string_value) if "otel.status_code" in tags else None
    if code is not None:
        span.status.code = code
        if "otel.status_description" in tags:
            span.status.message = tags["otel.status_description"].string_value
        take_out(span, ("otel.status_code", "otel.status_description"))
    elif "error" in tags and (said := _error(tags["error"])) is not None:
        span.status.code = Status.STATUS_CODE_ERROR
        span.status.message = said


def take_out(span: Span, keys: Iterable[str]) -> None:
    """Removes the attributes of these keys."""
    gone = frozenset(keys)
    for at in reversed(range(len(span.attributes))):
        if span.attributes[at].key in gone:
            del span.attributes[at]


def _error(value: AnyValue) -> str | None:
    """The message, empty where the tag has none; None where it says that there is no error."""
    if value.WhichOneof("value") == "bool_value":
        return "" if value.bool_value else None
    said = value.string_value
    return {"true": "", "false": None}.get(said.lower(), said)
