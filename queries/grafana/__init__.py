"""Grafana dashboards and alert rules as typed builders. No SQL here: panels ask the Tempo and Prometheus APIs.

`dashboards/` at the top of the source tree holds what they build; a test keeps the two equal.
"""
