"""What a person may ask of a report: a window, an environment, column filters, a limit. A value, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FOREVER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Query:
    """The window is [since, until) in Unix nanoseconds; a filter keeps rows whose column equals the value."""

    since_unix_nano: int = 0
    until_unix_nano: int = FOREVER
    environment: str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    settled: bool = False
    """All spans of the window have come: a rule that concludes from what is not there need not wait for late ones."""
