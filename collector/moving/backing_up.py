"""Backups of a stopped collector's database: its file and its lake, and a list by which a restore is verified.

Not in it: the journal, which is loaded first, and the salt of redacted credentials, which stays where it is.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb

from bindtrace.collector.moving import lake_copies
from bindtrace.collector.moving.digests import Held, held, sha256_of, tables
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.durable import sync_path
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.database import SCHEMA_VERSION, join_lake, open_database, open_read_only
from bindtrace.queries.lake import place
from bindtrace.queries.lake.naming import Lake
from bindtrace.queries.lock import acquire
from bindtrace.queries.source import ready_file

OnStep = Callable[[str], None]

DATA: Final = "bindtrace.duckdb"
LIST: Final = "backup.json"


class Copied(NamedTuple):
    """What the tables hold, those of the lake too; `elsewhere` is a lake that is not in the backup."""

    tables: dict[str, Held]
    of_lake: dict[str, Held]
    elsewhere: Lake | None


def back_up(db: Path, folder: Path, on_step: OnStep = lambda _: None) -> Copied:
    """Writes `folder`, which must not be there yet. Raises `Refusal`."""
    ready_file(db)
    if folder.exists():
        raise Refusal(f"{folder} is there already", fix="name a new folder for each backup")
    lock = acquire(db)
    try:
        copied, lake = _contents(db, on_step)
        on_step("copying the file")
        partly = folder.with_name(f"{folder.name}.partly")
        shutil.rmtree(partly, ignore_errors=True)
        partly.mkdir(parents=True)
        shutil.copyfile(db, partly / DATA)
        if lake is not None and copied.elsewhere is None:
            lake_copies.copy_out(lake, partly, on_step)
        _write_list(partly, copied)
        _sync(partly)
        partly.rename(folder)
    except OSError as error:
        raise Refusal(
            f"cannot write {folder}: {error.strerror or error}", fix="name a place with room for a copy"
        ) from error
    finally:
        lock.release()
    return copied


def restore(folder: Path, db: Path, on_step: OnStep = lambda _: None) -> Copied:
    """Makes `db`, which must not be there yet, from a backup, and its lake beside it; verifies every table.

    Raises `Refusal`.
    """
    listed = _read_list(folder)
    if db.exists() or db.with_name(f"{db.name}.journal").is_dir():
        raise Refusal(f"{db} is there already", fix="name a new path with --db, or move the old one away")
    on_step("checking the file")
    try:
        if sha256_of(folder / DATA) != listed["sha256"]:
            raise Refusal(f"{folder / DATA} is not the file that was backed up", fix="use another backup")
        partly = db.with_name(f"{db.name}.partly")
        db.parent.mkdir(parents=True, exist_ok=True)
        on_step("copying the file")
        shutil.copyfile(folder / DATA, partly)
    except OSError as error:
        raise Refusal(
            f"cannot restore {folder}: {error.strerror or error}", fix="check both paths"
        ) from error
    con = open_read_only(partly, alone=True)
    try:
        known = place.lake_of(con)
        elsewhere = None if known is None or listed["lake"] else known
        for name, told in listed["tables"].items():
            on_step(f"verifying {name}")
            if (found := held(con, name)) != Held(told["rows"], told["digest"]):
                raise Refusal(
                    f"table {name} has {found.rows} rows that are not the {told['rows']} of the backup",
                    fix="use another backup",
                )
    except duckdb.Error as error:
        partly.unlink(missing_ok=True)
        raise Refusal(
            f"{folder} cannot be read: {str(error).splitlines()[0]}", fix="use another backup"
        ) from None
    except Refusal:
        partly.unlink(missing_ok=True)
        raise
    finally:
        con.close()
    copied = Copied(_listed(listed["tables"]), _listed(listed["lake"]), elsewhere)
    if copied.of_lake:
        _restore_lake(folder, db, partly, copied.of_lake, listed["lake_files"], on_step)
    _sync(db.parent)
    partly.rename(db)
    return copied


def _restore_lake(
    folder: Path, db: Path, partly: Path, of_lake: dict[str, Held], files: dict[str, str], on_step: OnStep
) -> None:
    """Beside the database, which is told so."""
    try:
        lake = lake_copies.copy_in(folder, db, of_lake, files, on_step)
        con = open_database(partly)
        try:
            place.remember(con, lake)
            con.execute("checkpoint")
        finally:
            con.close()
    except Refusal:
        partly.unlink(missing_ok=True)
        raise
    except (duckdb.Error, OSError) as error:
        partly.unlink(missing_ok=True)
        raise Refusal(
            f"the lake in {folder} cannot be restored: {str(error).splitlines()[0]}", fix="use another backup"
        ) from None


def _listed(told: dict[str, Any]) -> dict[str, Held]:
    return {name: Held(one["rows"], one["digest"]) for name, one in told.items()}


def _contents(db: Path, on_step: OnStep) -> tuple[Copied, Lake | None]:
    """And where its lake is. What a crash left half moved between both is settled first."""
    con = open_database(db)
    try:
        lake = place.lake_of(con)
        copies = lake is not None and lake_copies.is_copied(lake)
        if copies:
            join_lake(con)
        con.execute("checkpoint")
        found = {}
        for name in tables(con):
            on_step(f"reading {name}")
            found[name] = held(con, name)
        of_lake = lake_copies.contents(con, on_step) if copies else {}
        return Copied(found, of_lake, None if copies else lake), lake
    except duckdb.Error as error:
        raise Refusal(
            f"{db} or its lake cannot be read: {str(error).splitlines()[0]}", fix="see `bindtrace doctor`"
        ) from None
    finally:
        con.close()


def _write_list(folder: Path, copied: Copied) -> None:
    told: dict[str, Any] = {
        "made_unix_nano": str(now_unix_nano()),
        "schema_version": SCHEMA_VERSION,
        "duckdb_version": duckdb.__version__,
        "sha256": sha256_of(folder / DATA),
        "tables": {name: one._asdict() for name, one in copied.tables.items()},
        "lake": {name: one._asdict() for name, one in copied.of_lake.items()},
        "lake_files": lake_copies.files(folder),
    }
    (folder / LIST).write_text(json.dumps(told, indent=2) + "\n", "utf-8")


def _read_list(folder: Path) -> dict[str, Any]:
    try:
        listed: dict[str, Any] = json.loads((folder / LIST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Refusal(
            f"{folder} is not a backup: {getattr(error, 'strerror', None) or error}",
            fix="name a folder that `bindtrace backup` wrote",
        ) from None
    kinds = (("tables", dict), ("lake", dict), ("lake_files", dict), ("sha256", str))
    if isinstance(listed, dict):
        listed = {"lake": {}, "lake_files": {}} | listed  # backups of before had none
    if not (isinstance(listed, dict) and all(isinstance(listed.get(key), kind) for key, kind in kinds)):
        raise Refusal(f"{folder / LIST} is not the list of a backup", fix="use another backup")
    if listed.get("schema_version") != SCHEMA_VERSION:
        raise Refusal(
            f"{folder} has schema version {listed.get('schema_version')}, this bindtrace reads {SCHEMA_VERSION}",
            fix="restore it with the version that made it, then `bindtrace migrate`",
        )
    return listed


def _sync(folder: Path) -> None:
    """Files and their names are on disk before anybody is told so."""
    for path in (*(one for one in folder.iterdir() if one.suffix in (".duckdb", ".json", ".partly")), folder):
        sync_path(path)
