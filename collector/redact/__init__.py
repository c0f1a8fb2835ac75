"""bindtrace.collector.redact."""
