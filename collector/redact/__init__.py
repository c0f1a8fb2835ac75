"""Takes credentials out of telemetry before anything is written."""
