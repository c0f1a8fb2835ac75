"""Tempo's answers as protobuf messages, of a table: they refuse what Grafana's plugin does not know.

source: tempo:pkg/tempopb, as its API documents it.
"""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from opentelemetry.proto.trace.v1 import trace_pb2

_OTLP = ".opentelemetry.proto"
# message -> field, number, type ("*": repeated); what the plugin of Grafana was built with
TEMPO = {
    "TraceByIDResponse": "trace 1 Trace, metrics 2 TraceByIDMetrics, status 3 int32, message 4 string",
    "TraceByIDMetrics": "inspectedBytes 1 uint64",
    "Trace": f"resourceSpans 1 {_OTLP}.trace.v1.ResourceSpans*",
    "SearchResponse": "traces 1 TraceSearchMetadata*, metrics 2 SearchMetrics",
    "SearchMetrics": "inspectedTraces 1 uint32, inspectedBytes 2 uint64, totalBlocks 3 uint32, completedJobs 4 uint32, "
    "totalJobs 5 uint32, totalBlockBytes 6 uint64, inspectedSpans 7 uint64",
    "TraceSearchMetadata": "traceID 1 string, rootServiceName 2 string, rootTraceName 3 string, "
    "startTimeUnixNano 4 uint64, durationMs 5 uint32, spanSet 6 SpanSet, spanSets 7 SpanSet*, serviceStats 8 Stats*",
    "Stats": "key 1 string, value 2 ServiceStats",
    "ServiceStats": "spanCount 1 uint32, errorCount 2 uint32",
    "SpanSet": f"spans 1 Span*, matched 2 uint32, attributes 3 {_OTLP}.common.v1.KeyValue*",
    "Span": "spanID 1 string, name 2 string, startTimeUnixNano 3 uint64, durationNanos 4 uint64, "
    f"attributes 5 {_OTLP}.common.v1.KeyValue*",
    "QueryInstantResponse": "series 1 InstantSeries*, metrics 2 SearchMetrics",
    "InstantSeries": f"labels 1 {_OTLP}.common.v1.KeyValue*, value 2 double, promLabels 3 string",
    "QueryRangeResponse": "series 1 TimeSeries*, metrics 2 SearchMetrics",
    "TimeSeries": f"labels 1 {_OTLP}.common.v1.KeyValue*, samples 2 Sample*, promLabels 3 string, "
    "exemplars 4 Exemplar*",
    "Sample": "timestampMs 1 int64, value 2 double",
    "Exemplar": f"labels 1 {_OTLP}.common.v1.KeyValue*, value 2 double, timestampMs 3 int64",
    "SearchTagsV2Response": "scopes 1 SearchTagsV2Scope*, metrics 2 SearchMetrics",
    "SearchTagsV2Scope": "name 1 string, tags 2 string*",
    "SearchTagValuesV2Response": "tagValues 1 TagValue*, metrics 2 SearchMetrics",
    "TagValue": "type 1 string, value 2 string",
}
_TYPES = {"string": 9, "uint32": 13, "uint64": 4, "int32": 5, "int64": 3, "double": 1}


def message_of(name: str) -> Message:
    """An empty message of that name, of a descriptor that is built from the table."""
    pool = descriptor_pool.Default()
    try:
        found = pool.FindMessageTypeByName(f"asked.{name}")
    except KeyError:
        file = descriptor_pb2.FileDescriptorProto(name="asked.proto", package="asked", syntax="proto3")
        file.dependency.append(trace_pb2.DESCRIPTOR.name)
        file.dependency.append("opentelemetry/proto/common/v1/common.proto")
        for message, fields in TEMPO.items():
            made = file.message_type.add(name=message)
            for written in fields.split(", "):
                field, number, kind = written.split()
                own = made.field.add(name=field, json_name=field, number=int(number))
                own.label = 3 if kind.endswith("*") else 1
                kind = kind.rstrip("*")
                if kind in _TYPES:
                    own.type = _TYPES[kind]  # type: ignore[assignment]
                else:
                    own.type, own.type_name = 11, kind if kind.startswith(".") else f".asked.{kind}"  # type: ignore[assignment]
            made.options.map_entry = message == "Stats"
        nested(file)
        pool.Add(file)
        found = pool.FindMessageTypeByName(f"asked.{name}")
    return message_factory.GetMessageClass(found)()


def nested(file: descriptor_pb2.FileDescriptorProto) -> None:
    """A map's entries are a message inside the one that has the map."""
    entry = next(one for one in file.message_type if one.name == "Stats")
    owner = next(one for one in file.message_type if one.name == "TraceSearchMetadata")
    owner.nested_type.add().CopyFrom(entry)
    owner.nested_type[0].name = "ServiceStatsEntry"
    owner.field[-1].type_name = ".asked.TraceSearchMetadata.ServiceStatsEntry"
    file.message_type.remove(entry)
