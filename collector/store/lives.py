"""Notes in the database that storage runs, so that an auditor can tell when it did not. Decides nothing."""

from __future__ import annotations

from typing import Final

import duckdb

NOTED_EVERY_NANO: Final = 60 * 10**9


class Life:
    """One life of the storage process; `note` is cheap to call often."""

    def __init__(self, con: duckdb.DuckDBPyConnection, now_unix_nano: int) -> None:
        """Begins it."""
        self._started = self._noted = now_unix_nano
        con.execute("insert into lives values (?, ?)", [now_unix_nano, now_unix_nano])

    def note(self, con: duckdb.DuckDBPyConnection, now_unix_nano: int, *, at_once: bool = False) -> None:
        """That it runs at this moment; written once a minute, or `at_once`."""
        if at_once or now_unix_nano - self._noted >= NOTED_EVERY_NANO:
            self._noted = now_unix_nano
            con.execute(
                "update lives set alive_unix_nano = ? where started_unix_nano = ?",
                [now_unix_nano, self._started],
            )
