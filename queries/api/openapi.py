"""The reports as an OpenAPI 3.1 document: what each takes and which columns it gives. Pure."""

from __future__ import annotations

from typing import Any, Final

from bindtrace.queries import sql_files
from bindtrace.queries.catalog import GIVEN, REPORTS
from bindtrace.queries.report_keys import keys_of

OWN_PARAMETERS: Final = {
    "since": "Only what began at or after: `15m`, RFC 3339, or Unix seconds.",
    "until": "Only what began before; the same forms.",
    "env": "Only this environment.",
    "limit": "At most so many rows.",
    "settled": "`true`: all spans of the window have come, so that no rule waits for late ones.",
    "offset": "Leave out so many rows; the `Link` header of an answer leads to the next page.",
    "format": "json (default), csv or arrow (an Arrow IPC stream); or by the Accept header.",
}
"""Parameters of every report; any other is a filter on a column of that name."""


def described() -> dict[str, Any]:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "bindtrace reports",
            "version": "1",
            "description": "The rows of the command line. Ids are lower-case hex, times and other 64-bit "
            "integers decimal strings, absent values null.",
        },
        "paths": {f"/api/reports/{name}": {"get": _operation(name)} for name in sorted(REPORTS)},
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def needed(name: str) -> list[str]:
    """The parameters without which the report has no answer."""
    file = sql_files.folder("reports").get(name)
    return [word for word in (file.parameters if file else ()) if word not in GIVEN]


def _operation(name: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": REPORTS[name].title,
        "parameters": [
            *(_parameter(own, text) for own, text in OWN_PARAMETERS.items()),
            *(_parameter(word, "Needed.", required=True) for word in needed(name)),
            *(
                _parameter(key, f"Only rows whose {key} is this.")
                for key in keys_of(name)
                if key not in needed(name)
            ),
        ],
        "responses": {
            "200": {
                "description": "The rows.",
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "array",
                            "items": {"type": "object", "properties": {key: {} for key in keys_of(name)}},
                        }
                    },
                    "text/csv": {},
                    "application/vnd.apache.arrow.stream": {},
                },
            },
            "304": {"description": "The answer is that of the given ETag."},
            "400": {"description": "A parameter cannot be read; the answer says which."},
        },
    }


def _parameter(name: str, text: str, *, required: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "description": text,
        "required": required,
        "schema": {"type": "string"},
    }
