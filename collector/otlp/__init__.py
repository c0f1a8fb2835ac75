"""OTLP from a sender's bytes to rows and back: what is admitted, how it is decoded, in columns or in a loop."""
