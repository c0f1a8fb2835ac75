"""TraceQL into SQL: `syntax` holds what a query says, `parse` reads it, `fields`, `conditions`, `spansets` and
`metrics` say it in SQL with every value bound. Nothing here runs a statement."""
