"""What runs inside services, and the words that every room shares. Public names only; the rest may change.

Names are loaded on use, so that a command that needs one word does not pay for the OpenTelemetry SDK.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bindtrace.propagation.absent import Absent
    from bindtrace.propagation.binding_header import Binding, parse, serialize
    from bindtrace.propagation.errors import Refusal
    from bindtrace.propagation.processor import BindingSpanProcessor
    from bindtrace.propagation.propagator import BindingPropagator

__all__ = [
    "Absent",
    "Binding",
    "BindingPropagator",
    "BindingSpanProcessor",
    "Refusal",
    "parse",
    "serialize",
]

_HOMES = {
    "Absent": "absent",
    "Binding": "binding_header",
    "BindingPropagator": "propagator",
    "BindingSpanProcessor": "processor",
    "Refusal": "errors",
    "parse": "binding_header",
    "serialize": "binding_header",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
