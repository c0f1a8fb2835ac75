"""The propagator `binding`: carries the `Service-Binding` header from caller to callee. Never raises.

Turned on without code: `OTEL_PROPAGATORS=tracecontext,baggage,binding`. A caller without a name
(`service.name`) sends nothing, for it has nothing to claim.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context, create_key, get_value, set_value
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.sdk.resources import OTELResourceDetector

from bindtrace.propagation import bindings, environment
from bindtrace.propagation.binding_header import MAX_HOP, Binding, parse, serialize
from bindtrace.propagation.concepts import RESOURCE_CONCEPTS
from bindtrace.propagation.vocabulary import (
    BINDING_HEADER,
    BINDING_NAME,
    CALLEE_CLAIMED,
    CHAIN,
    UNKNOWN_SERVICE,
)

_log = logging.getLogger(__name__)
_INBOUND: Final = create_key("bindtrace-binding")
_URL_KEYS: Final = ("url.full", "http.url")
_OUTGOING_KINDS: Final = (trace.SpanKind.CLIENT, trace.SpanKind.PRODUCER)
_RESOURCE_KEYS: Final = {concept.column: concept.keys for concept in RESOURCE_CONCEPTS}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What a call about to leave claims, and the binding (variable name) that it goes by, where known."""

    claim: Binding
    binding: str | None


class BindingPropagator(TextMapPropagator):
    """Extracts a caller's claim into the context, and injects this service's own into each call it makes."""

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """The context with the inbound claim; unchanged where there is none, or none that can be read."""
        kept = Context() if context is None else context
        try:
            claim = parse(getter.get(carrier, BINDING_HEADER) or ())
            return set_value(_INBOUND, claim, kept) if isinstance(claim, Binding) else kept
        except Exception:
            _log.debug("Service-Binding not extracted", exc_info=True)
            return kept

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        """Sets the header of this hop, in place of any that the carrier has."""
        try:
            span = trace.get_current_span(context)
            outgoing = outgoing_of(span, context)
            line = None if outgoing is None else _fitting(outgoing.claim)
            if outgoing is None or line is None:
                return
            _drop_other_spellings(carrier)
            setter.set(carrier, BINDING_HEADER, line)
            _complete(span, outgoing)
        except Exception:
            _log.debug("Service-Binding not injected", exc_info=True)

    @property
    def fields(self) -> set[str]:
        return {BINDING_HEADER}


def inbound_of(context: Context | None = None) -> Binding | None:
    """The claim of the call that is being served in this context."""
    claim = get_value(_INBOUND, context)
    return claim if isinstance(claim, Binding) else None


def outgoing_of(span: trace.Span, context: Context | None = None) -> Outgoing | None:
    """What a call made in `span` claims. None without a chain (no trace, none inbound) or without a name."""
    before = inbound_of(context)
    own = span.get_span_context()
    if before is None and not own.is_valid:
        return None
    resource = _resource_of(span)
    caller = _first(resource, _RESOURCE_KEYS["service"])
    # The SDK's own default is `unknown_service:python`.
    if caller is None or caller.split(":")[0] == UNKNOWN_SERVICE:
        return None
    url = _url_of(span)
    resolved = None if url is None else bindings.resolve(url)
    claim = Binding(
        caller=caller,
        chain=trace.format_trace_id(own.trace_id) if before is None else before.chain,
        callee=None if resolved is None else resolved.callee,
        env=_first(resource, _RESOURCE_KEYS["environment"]) or environment.read("VERCEL_ENV"),
        deployment=_first(resource, _RESOURCE_KEYS["deployment"]) or environment.read("VERCEL_DEPLOYMENT_ID"),
        hop=_next_hop(before),
    )
    if url is None:
        claim = _least(claim)
    return Outgoing(claim, None if resolved is None else resolved.binding)


def _next_hop(before: Binding | None) -> int | None:
    """1 for the first; None after a caller that did not count; the last number stays for what is deeper."""
    if before is None:
        return 1
    return None if before.hop is None else min(before.hop + 1, MAX_HOP)


def _least(claim: Binding) -> Binding:
    return Binding(caller=claim.caller, chain=claim.chain, hop=claim.hop)


def _fitting(claim: Binding) -> str | None:
    """The header with all that is known, or with the least where that does not fit, or none at all."""
    for candidate in (claim, _least(claim)):
        try:
            return serialize(candidate)
        except ValueError as unfit:
            _log.debug("Service-Binding shortened: %s", unfit)
    return None


def _resource_of(span: trace.Span) -> Mapping[str, Any]:
    for holder in (span, trace.get_tracer_provider()):
        resource = getattr(holder, "resource", None)
        if resource is not None:
            return dict(resource.attributes)
    return dict(OTELResourceDetector().detect().attributes)


def _first(attributes: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((str(attributes[key]) for key in keys if attributes.get(key)), None)


def _url_of(span: trace.Span) -> str | None:
    """Only of a span that calls: a SERVER span's URL is where the caller came in."""
    if getattr(span, "kind", None) not in _OUTGOING_KINDS:
        return None
    attributes: Mapping[str, Any] = getattr(span, "attributes", None) or {}
    return _first(attributes, _URL_KEYS)


def _drop_other_spellings(carrier: object) -> None:
    """A plain dict keeps `Service-Binding` beside `service-binding`, and two lines are no claim."""
    if isinstance(carrier, dict):
        for key in [key for key in carrier if isinstance(key, str) and key.lower() == BINDING_HEADER]:
            del carrier[key]


def _complete(span: trace.Span, outgoing: Outgoing) -> None:
    """Adds the binding to a span that our processor stamped before its URL was known."""
    attributes: Mapping[str, Any] = getattr(span, "attributes", None) or {}
    if outgoing.binding is None or CHAIN not in attributes or BINDING_NAME in attributes:
        return
    span.set_attribute(BINDING_NAME, outgoing.binding)
    if outgoing.claim.callee is not None:
        span.set_attribute(CALLEE_CLAIMED, outgoing.claim.callee)
