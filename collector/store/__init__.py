"""bindtrace.collector.store."""
