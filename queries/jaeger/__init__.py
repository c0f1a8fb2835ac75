"""What Jaeger's clients ask: the JSON that stock Grafana's data source reads, and v3, which Jaeger's own UI reads.

source: grafana-jaeger-datasource:pkg/jaeger, jaeger-idl:swagger/api_v3 (read, none copied).
"""
