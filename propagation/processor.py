"""The span processor: stamps what callers claim on spans. Exports nothing, and never raises into the service.

    provider.add_span_processor(BindingSpanProcessor())

Add it before the exporting processor or after, as attributes are set when spans start.
"""

from __future__ import annotations

import logging
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor
from opentelemetry.trace import SpanKind

from bindtrace.propagation.concepts import SPAN_CONCEPTS
from bindtrace.propagation.propagator import inbound_of, outgoing_of
from bindtrace.propagation.vocabulary import (
    BINDING_NAME,
    CALLEE_CLAIMED,
    CALLER_CLAIMED,
    CHAIN,
    DEPLOYMENT,
    ENV,
    HOP,
)

_log = logging.getLogger(__name__)
_DATABASE_KEYS: Final = next(concept.keys for concept in SPAN_CONCEPTS if concept.column == "db_system")


class BindingSpanProcessor(SpanProcessor):
    """Stamps SERVER and CONSUMER spans with the caller's claim, CLIENT and PRODUCER spans with the own one.

    A URL that an instrumentation sets only after the start is read by the propagator's `inject`, which then
    completes the stamp; at the end a span takes no more attributes.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        try:
            stamp = _STAMPS.get(span.kind)
            if stamp is not None:
                span.set_attributes({k: v for k, v in stamp(span, parent_context).items() if v is not None})
        except Exception:
            _log.debug("span not stamped", exc_info=True)


def _served(span: Span, context: Context | None) -> dict[str, str | int | None]:
    claim = inbound_of(context)
    if claim is None:
        return {}
    return {
        CALLER_CLAIMED: claim.caller,
        CALLEE_CLAIMED: claim.callee,
        CHAIN: claim.chain,
        HOP: claim.hop,
        ENV: claim.env,
        DEPLOYMENT: claim.deployment,
    }


def _made(span: Span, context: Context | None) -> dict[str, str | int | None]:
    # No header travels to a database, so there is no hop to number.
    if any(key in (span.attributes or {}) for key in _DATABASE_KEYS):
        return {}
    outgoing = outgoing_of(span, context)
    if outgoing is None:
        return {}
    return {
        BINDING_NAME: outgoing.binding,
        CALLEE_CLAIMED: outgoing.claim.callee,
        CHAIN: outgoing.claim.chain,
        HOP: outgoing.claim.hop,
    }


_STAMPS: Final = {
    SpanKind.SERVER: _served,
    SpanKind.CONSUMER: _served,
    SpanKind.CLIENT: _made,
    SpanKind.PRODUCER: _made,
}
