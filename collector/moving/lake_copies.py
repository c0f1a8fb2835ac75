"""The lake's part of a backup: a catalog that is a file and the folder of its data, copied, moved, and counted.

A lake that others share, or in object storage, is not copied: its keepers have ways of their own, and a copy of the
database is at home there still.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import duckdb

from bindtrace.collector.moving.digests import Held, held, sha256_of, tables
from bindtrace.propagation.durable import sync_path
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.database import open_database
from bindtrace.queries.lake import place
from bindtrace.queries.lake.naming import PREFIX, Lake, is_object_store, lake_beside

OnStep = Callable[[str], None]

FOLDER: Final = "lake"
CATALOG: Final = "catalog.ducklake"
DATA: Final = "data"


def is_copied(lake: Lake) -> bool:
    """Whether a backup holds it."""
    return lake.kind() == "duckdb" and not is_object_store(lake.data)


def contents(con: duckdb.DuckDBPyConnection, on_step: OnStep) -> dict[str, Held]:
    """What the tables of the attached lake hold. Reads all of it."""
    found = {}
    for name in tables(con, place.NAME):
        on_step(f"reading {name} of the lake")
        found[name] = held(con, name, place.NAME)
    return found


def copy_out(lake: Lake, folder: Path, on_step: OnStep) -> None:
    """Its files into a backup; nobody may have the catalog open. Raises `OSError`."""
    on_step("copying the lake")
    target = folder / FOLDER
    target.mkdir()
    shutil.copyfile(lake.catalog.removeprefix(PREFIX), target / CATALOG)
    shutil.copytree(lake.data, target / DATA)
    for path in (*target.rglob("*"), target):
        sync_path(path)


def files(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of the lake in a backup, by its name there. Raises `OSError`."""
    root = folder / FOLDER
    return {
        str(path.relative_to(root)): sha256_of(path) for path in sorted(root.rglob("*")) if path.is_file()
    }


def copy_in(
    folder: Path, db: Path, listed: Mapping[str, Held], digests: Mapping[str, str], on_step: OnStep
) -> Lake:
    """The lake of a backup beside a new database, verified by file and by table; on failure nothing is left of it.

    Raises `Refusal`, `OSError` and `duckdb.Error`.
    """
    lake = lake_beside(db)
    catalog = Path(lake.catalog.removeprefix(PREFIX))
    if catalog.parent.exists():
        raise Refusal(f"{catalog.parent} is there already", fix="name a new path with --db, or move it away")
    on_step("checking the lake")
    if files(folder) != digests:
        raise Refusal(
            f"the files in {folder / FOLDER} are not those that were backed up", fix="use another backup"
        )
    try:
        on_step("copying the lake")
        shutil.copytree(folder / FOLDER, catalog.parent)
        con = open_database(None)
        try:
            place.move(con, lake)
            place.attach(con, lake, read_only=True)
            found = contents(con, on_step)
        finally:
            con.close()
        for name, told in listed.items():
            if found.get(name) != told:
                raise Refusal(
                    f"table {name} of the lake is not the {told.rows} rows of the backup",
                    fix="use another backup",
                )
        for path in (*catalog.parent.rglob("*"), catalog.parent, catalog.parent.parent):
            sync_path(path)
    except BaseException:
        shutil.rmtree(catalog.parent, ignore_errors=True)
        raise
    return lake
