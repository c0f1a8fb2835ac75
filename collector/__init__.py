"""bindtrace.collector."""
