"""Foreign trace formats to OTLP, so that everything behind them knows one format."""
