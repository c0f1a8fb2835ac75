"""bindtrace.collector.journal."""
