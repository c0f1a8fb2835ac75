"""PromQL over stored events: what Grafana's Prometheus data source, its service graph and our panels ask.

The store holds every call, so `rate(counter[W])` at t is exactly the events in (t - W, t] divided by W: no counter
resets, no extrapolation, late spans included. `promql_parser` reads the language; `evaluate` knows a part of it.
"""
