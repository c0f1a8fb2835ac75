"""The built-in page: who calls whom, chains, one chain, findings with their fixes. Drawn on the server; every name
that telemetry brings is character data, and the one script only fetches the same page again."""
