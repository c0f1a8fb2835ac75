"""bindtrace.collector.receive."""
