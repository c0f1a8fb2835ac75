"""OTLP over gRPC: what is accepted is in the journal, what is not has its code and a `google.rpc.Status`."""

from __future__ import annotations

import os

import grpc
import handshakes
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from receiving import Receivers, export, span_ids
from statistics_of_envoy import metrics

from bindtrace.collector.intakes import statistics
from bindtrace.collector.intakes.handshakes import to_request
from bindtrace.collector.journal.segment import Position

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def details(error: grpc.RpcError) -> Status:
    trailers = dict(error.trailing_metadata())
    return Status.FromString(trailers["grpc-status-details-bin"])


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_the_stock_exporter_is_accepted(receivers: Receivers, compression: grpc.Compression) -> None:
    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=f"http://{receivers.grpc}", insecure=True, compression=compression)
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    with provider.get_tracer("test").start_as_current_span("work") as span:
        wanted = span.get_span_context().span_id.to_bytes(8, "big")
    provider.shutdown()

    assert wanted in receivers.stored_span_ids()


def test_success_carries_the_journal_position_as_a_trailer(
    channel: grpc.Channel, receivers: Receivers
) -> None:
    span_id = os.urandom(8)

    answer, call = TraceServiceStub(channel).Export.with_call(export(span_id))

    trailers = dict(call.trailing_metadata())
    assert Position.parse(trailers["bindtrace-position"]).offset > 0
    assert not answer.HasField("partial_success")
    assert span_id in receivers.stored_span_ids()


def test_an_empty_request_is_success(channel: grpc.Channel) -> None:
    assert not TraceServiceStub(channel).Export(ExportTraceServiceRequest()).HasField("partial_success")


def test_invalid_spans_are_a_partial_success(channel: grpc.Channel) -> None:
    answer = TraceServiceStub(channel).Export(export(os.urandom(8), b"bad"))

    assert answer.partial_success.rejected_spans == 1
    assert "span_id" in answer.partial_success.error_message


def test_undecodable_bytes_are_invalid_argument_with_a_status(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(EXPORT)(b"\xff\xff\xff")

    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(error.value).code == 3
    assert "not an OTLP traces request" in error.value.details()


def test_of_metrics_counts_of_refused_callers_are_kept_and_the_others_are_told_of(
    channel: grpc.Channel, receivers: Receivers
) -> None:
    sent = metrics(("http.rbac.denied", 2), ("server.uptime", 9))

    told = MetricsServiceStub(channel).Export(sent).partial_success

    assert told.rejected_data_points == 1
    assert "no count of refused callers" in told.error_message
    (kept,) = span_ids(statistics.to_request(sent)[0].SerializeToString())
    assert kept in receivers.stored_span_ids()


@pytest.mark.parametrize(
    "method",
    [
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
    ],
)
def test_other_signals_are_unimplemented_and_told_what_we_take(channel: grpc.Channel, method: str) -> None:
    with pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(method)(b"")

    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "traces are what this collector takes" in error.value.details()
    assert "traces are what" in details(error.value).message


def test_of_logs_refused_handshakes_are_kept_and_the_others_are_told_of(
    channel: grpc.Channel, receivers: Receivers
) -> None:
    sent = handshakes.logs(handshakes.refused(), {"message": "hello"})

    told = LogsServiceStub(channel).Export(sent).partial_success

    assert told.rejected_log_records == 1
    assert "no refused handshake" in told.error_message
    (kept,) = span_ids(to_request(sent)[0].SerializeToString())
    assert kept in receivers.stored_span_ids()


def test_an_unknown_method_is_unimplemented(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as error:
        channel.unary_unary("/some.Service/Call")(b"")

    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_message_beyond_the_limit_is_resource_exhausted_without_retry_info(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(EXPORT)(bytes(64 * 1024 * 1024 + 1))

    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "google.rpc.retryinfo-bin" not in dict(error.value.trailing_metadata() or ())


def test_a_small_message_that_inflates_beyond_the_limit_is_resource_exhausted(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(EXPORT)(bytes(64 * 1024 * 1024 + 1), compression=grpc.Compression.Gzip)

    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
