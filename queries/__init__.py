"""bindtrace.queries."""
