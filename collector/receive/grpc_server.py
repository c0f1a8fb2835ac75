"""OTLP over gRPC: raw bytes handlers of `Export`, for traces and what Envoy tells of refusals. Stores nothing."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, NoReturn

import grpc
import grpc.aio

from bindtrace.collector.otlp.admit import Encoding
from bindtrace.collector.ports import Address
from bindtrace.collector.receive.intake import BUSY, MAX_REQUEST_BYTES, NO_TOKEN, Intake
from bindtrace.collector.receive.status import (
    POSITION_KEY,
    TRACES_ONLY,
    Accepted,
    Cause,
    Refused,
    Signal,
    retry_info,
)

_COLLECTOR = "/opentelemetry.proto.collector."
EXPORT = f"{_COLLECTOR}trace.v1.TraceService/Export"
EXPORT_LOGS = f"{_COLLECTOR}logs.v1.LogsService/Export"
EXPORT_METRICS = f"{_COLLECTOR}metrics.v1.MetricsService/Export"
_ENCODINGS: dict[str, Encoding] = {EXPORT: "protobuf", EXPORT_LOGS: "logs", EXPORT_METRICS: "metrics"}
_SIGNALS: dict[Encoding, Signal] = {"protobuf": "traces", "logs": "logs", "metrics": "metrics"}
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_OPTIONS = (
    ("grpc.so_reuseport", 1),
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),  # enforced after inflation, by RESOURCE_EXHAUSTED
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", 128),  # more wait at the client
    ("grpc.server_handshake_timeout_ms", 5_000),
    # Streams that never send their message end with their connection; a living sender connects again unseen.
    ("grpc.max_connection_age_ms", 60_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
)
log = logging.getLogger("bindtrace.receive")


async def start(intake: Intake, address: Address) -> tuple[grpc.aio.Server, int]:
    """A server that shares the address with the other receivers, and its port. Raises `OSError`."""
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers((_Handlers(intake),))
    try:
        port = _add_port(server, intake, str(address))
    except RuntimeError as error:
        raise OSError(f"cannot serve gRPC on {address}: {error}") from error
    await server.start()
    return server, int(port)


def _add_port(server: grpc.aio.Server, intake: Intake, address: str) -> int:
    tls = intake.doors.tls
    if tls is None:
        return int(server.add_insecure_port(address))
    credentials = grpc.ssl_server_credentials(
        ((tls.key, tls.cert),), tls.client_ca, require_client_auth=tls.client_ca is not None
    )
    return int(server.add_secure_port(address, credentials))


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Which method does what. What is not listed here gRPC answers itself, with UNIMPLEMENTED."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._exports = {
            method: grpc.unary_unary_rpc_method_handler(partial(self._on_export, encoding))
            for method, encoding in _ENCODINGS.items()
        }
        self._other = grpc.unary_unary_rpc_method_handler(self._on_other)

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method
        if method in self._exports:
            return self._exports[method]
        return self._other if method.startswith(_COLLECTOR) else None

    async def _on_export(self, encoding: Encoding, body: bytes, context: Any) -> bytes:
        try:
            outcome = await self._take(body, encoding, context)
        except Exception:
            log.exception("event=grpc_bug")
            outcome = self._intake.refuse(Refused(Cause.BUG, "this is a fault of the collector"), "grpc")
        if isinstance(outcome, Refused):
            await _abort(context, outcome)
        if outcome.position is not None:
            context.set_trailing_metadata(((POSITION_KEY, str(outcome.position)),))
        return outcome.response(as_json=False, signal=_SIGNALS[encoding])

    async def _take(self, body: bytes, encoding: Encoding, context: Any) -> Accepted | Refused:
        intake = self._intake
        who = _who(intake, context)
        if isinstance(who, Refused):
            return intake.refuse(who, "grpc")
        with intake.budget.charge(who or context.peer().rpartition(":")[0]) as charge:
            if not charge.take(len(body)):
                return intake.refuse(BUSY, "grpc", who)
            outcome = await intake.take(body, encoding=encoding, protocol="grpc", identity=who)
            await intake.hold(outcome)
            return outcome

    async def _on_other(self, _: bytes, context: Any) -> NoReturn:
        await _abort(context, Refused(Cause.NOT_FOUND, f"this signal is not taken; {TRACES_ONLY} {EXPORT}"))


def _who(intake: Intake, context: Any) -> str | Refused:
    """The sender's proven name; empty where none is asked for."""
    doors = intake.doors
    if doors.tokens:
        given = dict(context.invocation_metadata()).get("authorization")
        return doors.tokens.name(given if isinstance(given, str) else None) or NO_TOKEN
    if doors.tls is not None and doors.tls.client_ca is not None:
        proven = context.auth_context()
        # first of all a SPIFFE id: of several names gRPC lists DNS names first
        names = (
            proven.get("peer_spiffe_id")
            or proven.get("x509_subject_alternative_name")
            or proven.get("x509_common_name")
            or [b""]
        )
        return str(names[0].decode("utf-8", "replace"))
    return ""


async def _abort(context: Any, refused: Refused) -> NoReturn:
    """Ends the call. Python's exporter reads RetryInfo from a trailer of its own, others from the details."""
    retry_s = refused.retry_s()
    trailers = [("grpc-status-details-bin", refused.response(as_json=False, retry_s=retry_s))]
    if retry_s is not None:
        trailers.append(("google.rpc.retryinfo-bin", retry_info(retry_s).SerializeToString()))
    status = refused.status()
    await context.abort(_CODES[status.code], status.message, tuple(trailers))
    raise AssertionError("abort always raises")
