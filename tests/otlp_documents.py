"""OTLP as JSON of one span, written by hand with the ids of the specification's example."""

from __future__ import annotations

import json
from typing import Any

TRACE, SPAN, PARENT = "5B8EFFF798038103D269B633813FC60C", "EEE19B7EC3C1B174", "EEE19B7EC3C1B173"


def document(span: dict[str, Any] | None = None, **resource_spans: Any) -> bytes:
    """`span` adds to the span or replaces what it has, `resource_spans` what is around it."""
    whole = {"traceId": TRACE, "spanId": SPAN, "name": "a"} | (span or {})
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [whole]}]} | resource_spans]}).encode()
