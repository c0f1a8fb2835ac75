"""What a sender is told, as `google.rpc.Status` in its own encoding: codes by a table. No I/O here."""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from bindtrace.collector.journal.segment import Position

POSITION_KEY = "bindtrace-position"
"""Response header and gRPC trailer: the journal position that holds the request, for `/api/wait`."""

PROTOBUF, JSON = "application/x-protobuf", "application/json"
TRACES_ONLY = "traces are what this collector takes: send them to"
Signal = Literal["traces", "logs", "metrics"]
_ANSWERS: Final[dict[Signal, tuple[Callable[[], Any], str]]] = {
    "traces": (ExportTraceServiceResponse, "rejected_spans"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points"),
}
_MAX_MESSAGE = 2048  # OTLP 1.11: shorten error_message before failing; answers stay far below 4 MiB


class _Codes(NamedTuple):
    http: int
    grpc: int
    retry: bool


class Cause(enum.Enum):
    """Why a request is refused, with its codes (OTLP 1.11, Failures).

    Clients retry HTTP 429, 502, 503, 504 and gRPC UNAVAILABLE, and drop after everything else: what passes by
    itself is never answered with another code (opentelemetry-collector#8132 lost data by that).
    """

    UNDECODABLE = _Codes(400, Code.INVALID_ARGUMENT, False)
    UNAUTHENTICATED = _Codes(401, Code.UNAUTHENTICATED, False)
    FORBIDDEN = _Codes(403, Code.PERMISSION_DENIED, False)
    NOT_FOUND = _Codes(404, Code.UNIMPLEMENTED, False)
    WRONG_METHOD = _Codes(405, Code.UNIMPLEMENTED, False)
    WRONG_TYPE = _Codes(415, Code.UNIMPLEMENTED, False)
    TOO_LARGE = _Codes(413, Code.RESOURCE_EXHAUSTED, False)
    BUSY = _Codes(429, Code.UNAVAILABLE, True)
    UNAVAILABLE = _Codes(503, Code.UNAVAILABLE, True)
    BUG = _Codes(500, Code.INTERNAL, False)


@dataclass(frozen=True, slots=True)
class Accepted:
    """Durable in the journal up to `position`; None where no span was left to keep."""

    position: Position | None
    rejected: int = 0
    message: str = ""

    def response(self, *, as_json: bool, signal: Signal = "traces") -> bytes:
        """The Export…ServiceResponse; `partial_success` only where there is something to say."""
        kind, rejected = _ANSWERS[signal]
        answer = kind()
        if self.rejected or self.message:
            setattr(answer.partial_success, rejected, self.rejected)
            answer.partial_success.error_message = _short(self.message)
        return _encode(answer, as_json=as_json)


@dataclass(frozen=True, slots=True)
class Refused:
    """Not taken; `message` says what and, where a sender can do something, how to do better."""

    cause: Cause
    message: str

    def status(self, retry_s: int | None = None) -> Status:
        """With `RetryInfo` where the cause passes, with `BadRequest` where the bytes are at fault."""
        status = Status(code=self.cause.value.grpc, message=_short(self.message))
        if retry_s is not None:
            status.details.add().Pack(retry_info(retry_s))
        elif self.cause is Cause.UNDECODABLE:
            violation = BadRequest.FieldViolation(field="body", description=_short(self.message))
            status.details.add().Pack(BadRequest(field_violations=[violation]))
        return status

    def response(self, *, as_json: bool, retry_s: int | None = None) -> bytes:
        """The Status in protobuf, or in proto3 JSON."""
        return _encode(self.status(retry_s), as_json=as_json)

    def retry_s(self) -> int | None:
        """Seconds to ask for, 1 to 3 so that senders spread; None where a retry is of no use.

        Small: Python's exporters give up at once when it is longer than what is left of their 10 s.
        """
        return random.choice((1, 2, 3)) if self.cause.value.retry else None  # noqa: S311  spreads load, no secret


def retry_info(seconds: int) -> RetryInfo:
    """How long to wait before sending again."""
    info = RetryInfo()
    info.retry_delay.seconds = seconds
    return info


def _encode(message: Message, *, as_json: bool) -> bytes:
    if not as_json:
        return bytes(message.SerializeToString())
    return str(json_format.MessageToJson(message, indent=None)).encode()


def _short(text: str) -> str:
    return text if len(text) <= _MAX_MESSAGE else text[: _MAX_MESSAGE - 1] + "…"
