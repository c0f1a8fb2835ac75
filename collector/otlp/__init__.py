"""bindtrace.collector.otlp."""
