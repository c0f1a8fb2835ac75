"""The HTTP routes of a running collector: reports, the page, and the APIs of Tempo, Jaeger and Prometheus."""
