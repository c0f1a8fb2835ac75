"""How much memory storage may take. A value only, for processes that start it and need no database themselves."""

from __future__ import annotations

from typing import Final

MEMORY_BYTES: Final = 320 * 1024**2
"""Of DuckDB alone; its own default is most of the machine. All processes together then stay below 1 GiB."""
