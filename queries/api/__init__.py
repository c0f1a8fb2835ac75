"""bindtrace.queries.api."""
