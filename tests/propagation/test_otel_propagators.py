"""OTEL_PROPAGATORS is read when opentelemetry.propagate is imported, so each case is a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
from opentelemetry import trace
from opentelemetry.propagate import get_global_textmap, inject
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
with trace.get_tracer("t").start_as_current_span("call", kind=trace.SpanKind.CLIENT):
    inject(carrier := {})
print(sorted(get_global_textmap().fields))
print(carrier["service-binding"].split(";")[:2])
"""


def test_otel_propagators_turns_the_header_on_without_code() -> None:
    given = {"OTEL_PROPAGATORS": "tracecontext,baggage,binding", "OTEL_SERVICE_NAME": "orders"}

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | given, capture_output=True, text=True, timeout=60
    )

    fields, claim = done.stdout.splitlines() or [done.stderr, ""]
    assert fields == "['baggage', 'service-binding', 'traceparent', 'tracestate']"
    assert claim == """['orders', 'caller="orders"']"""
