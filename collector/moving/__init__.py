"""Moving telemetry in and out of a stopped collector's database: exports, backups, older schemas."""
