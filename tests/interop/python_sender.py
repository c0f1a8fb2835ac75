"""A Python service as its users write it: set up by OTEL_* alone. Makes traces and prints what it made."""

from __future__ import annotations

import json
import sys

from opentelemetry.sdk._configuration import _OTelSDKConfigurator
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    get_tracer,
    get_tracer_provider,
    set_span_in_context,
)


def main(count: int) -> None:
    _OTelSDKConfigurator()._configure()
    tracer = get_tracer("python-sender", "1.2.3")
    made: list[dict[str, object]] = []
    for number in range(count):
        server = tracer.start_span(
            "GET /cart",
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": "GET", "http.response.status_code": 200, "ratio": 0.5,
                "big": 9007199254740991, "negative": -3, "ok": True, "list": ["a", "b"], "numbers": [1, 2],
                "text": "ünïcødé \U0001f980",
            },
        )  # fmt: skip
        made.append(_note(server, None, 2))
        client = tracer.start_span(
            "GET", set_span_in_context(server), SpanKind.CLIENT,
            links=[Link(server.get_span_context(), {"why": "test"})],
        )  # fmt: skip
        made.append(_note(client, server, 3))
        client.add_event("retry", {"attempt": number})
        client.record_exception(RuntimeError("refused"))
        client.set_status(Status(StatusCode.ERROR, "refused"))
        client.end()
        server.end()
    get_tracer_provider().shutdown()  # type: ignore[attr-defined]
    print(json.dumps(made))


def _note(span: Span, parent: Span | None, kind: int) -> dict[str, object]:
    context = span.get_span_context()
    return {
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
        "parent_span_id": f"{parent.get_span_context().span_id:016x}" if parent else "",
        "kind": kind,
    }


main(int(sys.argv[1]))
