"""OTLP over HTTP as an ASGI application, and Zipkin's spans beside it. Judges and stores nothing itself.

Every refusal is a `google.rpc.Status` in the request's encoding (OTLP 1.11, Failures).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from itertools import chain
from typing import Any

from bindtrace.collector.intakes.statistics import NOT_TAKEN
from bindtrace.collector.otlp.admit import Encoding
from bindtrace.collector.otlp.quirks import CHUNKED
from bindtrace.collector.receive.auth import SIGNATURE_HEADER, Signature
from bindtrace.collector.receive.budget import Charge
from bindtrace.collector.receive.inflate import ENCODINGS, NotCompressed, inflater
from bindtrace.collector.receive.intake import BUSY, MAX_REQUEST_BYTES, NO_TOKEN, TOO_LARGE, Intake
from bindtrace.collector.receive.status import (
    JSON,
    POSITION_KEY,
    PROTOBUF,
    TRACES_ONLY,
    Accepted,
    Cause,
    Refused,
    Signal,
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CLIENT_NAME = "bindtrace.client"
"""ASGI extension: the name in the client certificate."""
TRACES, LOGS, METRICS = "/v1/traces", "/v1/logs", "/v1/metrics"
_SIGNALS: dict[str, Signal] = {TRACES: "traces", LOGS: "logs", METRICS: "metrics"}
_BODY_LEFT = (Cause.TOO_LARGE, Cause.BUSY, Cause.UNAUTHENTICATED, Cause.FORBIDDEN)
_ZIPKIN = ("/zipkin/api/v2/spans", "/api/v2/spans")
_TAKEN: dict[str, dict[str, Encoding]] = {
    TRACES: {PROTOBUF: "protobuf", JSON: "json"},
    LOGS: {PROTOBUF: "logs", JSON: "logs-json"},
    METRICS: {PROTOBUF: "metrics", JSON: "metrics-json"},
    **{path: {JSON: "zipkin"} for path in _ZIPKIN},
}
"""Path to content type to encoding."""
log = logging.getLogger("bindtrace.receive")


class _Gone(Exception):  # noqa: N818  not an error: the sender hung up, and nobody waits for an answer
    """The connection closed before the body was complete."""


def build(intake: Intake) -> App:
    """The application. It answers every request and raises nothing."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name: value.decode("latin-1").strip() for name, value in scope["headers"]}
        media = headers.get(b"content-type", "").partition(";")[0].strip().lower()
        try:
            outcome = await _answer(intake, scope, headers, media, receive)
        except _Gone:
            return
        except Exception:
            log.exception("event=http_bug path=%s", scope["path"][:200])
            outcome = Refused(Cause.BUG, "this is a fault of the collector")
        await answer(send, outcome, as_json=media != PROTOBUF, path=_path(scope))

    return app


async def _answer(
    intake: Intake, scope: Scope, headers: dict[bytes, str], media: str, receive: Receive
) -> Accepted | Refused:
    who = _who(intake, scope, headers)
    refused = _refusal(scope, media, _compression(headers)) or (who if isinstance(who, Refused) else None)
    if refused is None and _declared_length(headers) > MAX_REQUEST_BYTES:
        refused = TOO_LARGE
    protocol = "zipkin" if _path(scope) in _ZIPKIN else "http"
    if refused is not None or isinstance(who, Refused):
        return intake.refuse(refused or NO_TOKEN, protocol)
    with intake.budget.charge(who or _host(scope)) as charge:
        body = await _body(receive, _compression(headers), charge, _signature(intake, headers))
        if isinstance(body, Refused):
            return intake.refuse(body, protocol, who)
        quirks = {} if b"content-length" in headers else {CHUNKED: 1}
        encoding = _TAKEN[_path(scope)][media]
        outcome = await intake.take(body, encoding=encoding, protocol=protocol, identity=who, quirks=quirks)
        del body
        await intake.hold(outcome)
        return outcome


def _who(intake: Intake, scope: Scope, headers: dict[bytes, str]) -> str | Refused:
    """The sender's proven name; empty where none is asked for. A signature is checked once the body is there."""
    doors = intake.doors
    if doors.tokens and (name := doors.tokens.name(headers.get(b"authorization"))):
        return name
    if doors.drain_secret and SIGNATURE_HEADER.encode() in headers:
        return "drain"
    if doors.tokens:
        return NO_TOKEN
    if doors.drain_secret:
        return Refused(Cause.FORBIDDEN, f"the header `{SIGNATURE_HEADER}` is missing")
    return str(scope.get("extensions", {}).get(CLIENT_NAME, {}).get("name", ""))


def _signature(intake: Intake, headers: dict[bytes, str]) -> Signature | None:
    given = headers.get(SIGNATURE_HEADER.encode())
    return (
        Signature(intake.doors.drain_secret, given)
        if intake.doors.drain_secret and given is not None
        else None
    )


def _host(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])


def _path(scope: Scope) -> str:
    return str(scope["path"].rstrip("/"))


def _compression(headers: dict[bytes, str]) -> str:
    return headers.get(b"content-encoding", "identity").lower() or "identity"


def _refusal(scope: Scope, media: str, compression: str) -> Refused | None:
    """What is wrong with a request before its body is looked at."""
    path = _path(scope)
    if path not in _TAKEN:
        return Refused(Cause.NOT_FOUND, f"nothing is at this path; {TRACES_ONLY} {TRACES}")
    if path == METRICS and (scope["method"] != "POST" or media not in _TAKEN[path]):
        return Refused(
            Cause.NOT_FOUND, NOT_TAKEN
        )  # whoever that is, it is no Envoy with counts of refused callers
    if scope["method"] != "POST":
        return Refused(Cause.WRONG_METHOD, f"{path} takes POST, not {scope['method'][:20]}")
    if media not in _TAKEN[path]:
        return Refused(
            Cause.WRONG_TYPE, f"content type `{media[:100]}` is not taken; send {' or '.join(_TAKEN[path])}"
        )
    if compression != "identity" and compression not in ENCODINGS:
        return Refused(
            Cause.WRONG_TYPE,
            f"content encoding `{compression[:100]}` is not taken; send gzip, deflate, zstd or none",
        )
    return None


def _declared_length(headers: dict[bytes, str]) -> int:
    text = headers.get(b"content-length", "0")
    return int(text) if text.isascii() and text.isdigit() else 0


async def _body(
    receive: Receive, compression: str, charge: Charge, signature: Signature | None
) -> bytes | Refused:
    """The inflated body, within the limit and the budget."""
    opened = None if compression == "identity" else inflater(compression)
    pieces: list[bytes] = []
    received = inflated = 0
    try:
        async for chunk, last in _chunks(receive):
            received += len(chunk)
            if received > MAX_REQUEST_BYTES:
                return TOO_LARGE
            if signature is not None:
                signature.update(chunk)
                if last and not signature.right():
                    return Refused(Cause.FORBIDDEN, f"the header `{SIGNATURE_HEADER}` does not fit the body")
            if opened is not None and not charge.take(len(chunk)):
                return BUSY
            for piece in (
                (chunk,) if opened is None else chain(opened.feed(chunk), opened.finish() if last else ())
            ):
                inflated += len(piece)
                if inflated > MAX_REQUEST_BYTES:
                    return TOO_LARGE
                if not charge.take(len(piece)):
                    return BUSY
                pieces.append(piece)
                if opened is not None and len(piece) > len(chunk):
                    await asyncio.sleep(
                        0
                    )  # a small chunk can hold much: others have their turn between pieces
    except NotCompressed as error:
        return Refused(Cause.UNDECODABLE, str(error))
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _chunks(receive: Receive) -> AsyncIterator[tuple[bytes, bool]]:
    """Each with whether it is the last."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        body, more = message.get("body", b""), message.get("more_body", False)
        if body or not more:
            yield body, not more


async def answer(send: Send, outcome: Accepted | Refused, *, as_json: bool, path: str = TRACES) -> None:
    """Sends the response to what was decided of a request to this path."""
    headers = [(b"content-type", (JSON if as_json else PROTOBUF).encode())]
    if isinstance(outcome, Accepted):
        # Envoy's Zipkin tracer counts what is not answered 202 as dropped; Zipkin has no partial success.
        code, body = (
            (202, b"")
            if path in _ZIPKIN
            else (200, outcome.response(as_json=as_json, signal=_SIGNALS.get(path, "traces")))
        )
        if outcome.position is not None:
            headers.append((POSITION_KEY.encode(), str(outcome.position).encode()))
    else:
        retry_s = outcome.retry_s()
        code, body = outcome.cause.value.http, outcome.response(as_json=as_json, retry_s=retry_s)
        if retry_s is not None:
            headers.append((b"retry-after", str(retry_s).encode()))
        if outcome.cause is Cause.UNAUTHENTICATED:
            headers.append((b"www-authenticate", b"Bearer"))
        if outcome.cause is Cause.WRONG_METHOD:
            headers.append((b"allow", b"POST"))
        if outcome.cause in _BODY_LEFT:  # the rest of the body is not waited for
            headers.append((b"connection", b"close"))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
