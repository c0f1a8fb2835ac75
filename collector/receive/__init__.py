"""The receiver process: both OTLP servers, what they ask of a sender, and how a request becomes durable."""
