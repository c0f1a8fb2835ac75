"""What runs inside services, and the words that every room shares. Public names only; the rest may change.

Names are loaded on use, so that a command that needs one word does not pay for the OpenTelemetry SDK.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing is 8 ms, and this is imported before Ctrl-C can be answered (entry.py)
if TYPE_CHECKING:
    from bindtrace.propagation.absent import Absent
    from bindtrace.propagation.binding_header import Binding, parse, serialize
    from bindtrace.propagation.errors import Refusal
    from bindtrace.propagation.guard.asgi import ASGIGuard
    from bindtrace.propagation.guard.wsgi import WSGIGuard
    from bindtrace.propagation.processor import BindingSpanProcessor
    from bindtrace.propagation.propagator import BindingPropagator
    from bindtrace.propagation.serving.guarded import serve_guarded
    from bindtrace.propagation.workload.httpx_transport import AsyncBindingTransport, BindingTransport
    from bindtrace.propagation.workload.identity import Identity

__all__ = [
    "ASGIGuard",
    "Absent",
    "AsyncBindingTransport",
    "Binding",
    "BindingPropagator",
    "BindingSpanProcessor",
    "BindingTransport",
    "Identity",
    "Refusal",
    "WSGIGuard",
    "parse",
    "serialize",
    "serve_guarded",
]

_HOMES = {
    "ASGIGuard": "guard.asgi",
    "AsyncBindingTransport": "workload.httpx_transport",
    "BindingTransport": "workload.httpx_transport",
    "Identity": "workload.identity",
    "WSGIGuard": "guard.wsgi",
    "serve_guarded": "serving.guarded",
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
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
