"""What Grafana's Tempo data source asks: search, metrics, tags, in the JSON shapes that it decodes strictly.

source: tempo:pkg/tempopb/tempo.proto and the calls of grafana-tempo-datasource (read, none copied).
"""
