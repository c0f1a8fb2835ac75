"""Random call graphs with known truth, each from a seed: who called whom, and what telemetry was left of it.

Drawn are only graphs whose truth some span tells: a service that forwards the trace context and sends nothing is
to every tracer an unseen proxy, and is drawn as one.
"""

from __future__ import annotations

from call_drawing import CLIENT, CONSUMER, EDGE, SERVER, Drawing, Graph, Span
from call_styles import weights

__all__ = ["CLIENT", "CONSUMER", "EDGE", "SERVER", "Graph", "Span", "graph"]


def graph(seed: int, number: int) -> Graph:
    """The graph of a seed; `number` keeps its trace ids apart from all others (32 bits for its own traces)."""
    return Drawing(seed, number, weights).draw()
