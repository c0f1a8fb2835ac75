"""What Grafana makes of a panel's query before it asks."""

from __future__ import annotations

from bindtrace.queries.grafana.frame import VARIABLES


def substituted(expr: str) -> str:
    """As Grafana sends it, with `All` chosen."""
    for name in VARIABLES:
        expr = expr.replace(f"${name}", ".*")
    for name in ("$__rate_interval", "$__interval", "$__range"):
        expr = expr.replace(name, "5m")
    return expr
