"""DuckDB's extensions, from the wheels that pip installs: signed by DuckDB, and loaded without a network."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import duckdb

from bindtrace.queries.lake.naming import LakeRefusal


def load_extension(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Loads one by its name. Raises `LakeRefusal` where it is not installed."""
    package = find_spec(f"duckdb_extension_{name}")
    places = package.submodule_search_locations if package else None
    file = (
        Path(next(iter(places or ()), ""))
        / "extensions"
        / f"v{duckdb.__version__}"
        / f"{name}.duckdb_extension"
    )
    if not file.is_file():
        raise LakeRefusal(
            f"DuckDB's extension {name} for {duckdb.__version__} is not installed",
            fix="pip install 'bindtrace[lake]'",
        )
    con.execute(f"load {quoted(str(file))}")


def quoted(text: str) -> str:
    """As a literal of SQL, where no value can be bound."""
    return "'" + text.replace("'", "''") + "'"
