"""The verbs of `bindtrace policy`, one module each."""
