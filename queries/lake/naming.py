"""The name of a lake as a person writes it: its catalog, and where its data are. Opens nothing, and needs no DuckDB."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bindtrace.propagation.errors import Refusal

PREFIX: Final = "ducklake:"
_SECRETS: Final = re.compile(
    r"(password|passwd|passfile_content|secret)\s*=|://[^/@\s]*:[^/@\s]*@", re.IGNORECASE
)


class LakeRefusal(Refusal):
    """What is wrong with the lake is never the fault of the database beside it."""


@dataclass(frozen=True, slots=True)
class Lake:
    """`catalog` as DuckLake's ATTACH takes it (`ducklake:PATH`, `ducklake:postgres:…`), `data` a folder or s3://…"""

    catalog: str
    data: str

    def kind(self) -> str:
        """`duckdb` for a file, else the database that the catalog names: `postgres`, …"""
        found = re.match(r"(postgres|sqlite|mysql):", self.catalog.removeprefix(PREFIX))
        return found[1] if found else "duckdb"


def lake_at(catalog: str, data: str | None) -> Lake:
    """The lake that a person names; a file's data are beside it. Raises `LakeRefusal`."""
    place = _named(catalog)
    if place.kind() != "duckdb":
        if not data:
            raise LakeRefusal(
                f"the data of a lake with a {place.kind()} catalog have no place", fix="name one with --data"
            )
        return Lake(place.catalog, data if "://" in data else str(Path(data).absolute()))
    path = place.catalog.removeprefix(PREFIX)
    return Lake(
        place.catalog, data if data and "://" in data else str(Path(data or f"{path}.data").absolute())
    )


def lake_to_read(catalog: str) -> Lake:
    """The lake of a catalog that is there; it knows itself where its data are. Raises `LakeRefusal`."""
    lake = _named(catalog)
    path = Path(lake.catalog.removeprefix(PREFIX))
    if lake.kind() == "duckdb" and not path.is_file():
        raise LakeRefusal(
            f"there is no lake at {path}", fix="name its catalog, as PATH.lake/catalog.ducklake"
        )
    return lake


def _named(catalog: str) -> Lake:
    written = catalog if catalog.startswith(PREFIX) else PREFIX + catalog
    if _SECRETS.search(written):
        raise LakeRefusal(
            "--lake holds a password, which would be stored and shown",
            fix="give it by PGPASSWORD or a ~/.pgpass file, and leave it out",
        )
    place = Lake(written, "")
    if place.kind() != "duckdb":
        return place
    return Lake(f"{PREFIX}{Path(written.removeprefix(PREFIX)).absolute()}", "")


def lake_beside(db: Path) -> Lake:
    """The lake of a collector that is given none: `PATH.lake/`."""
    folder = db.absolute().with_name(f"{db.name}.lake")
    return Lake(f"{PREFIX}{folder / 'catalog.ducklake'}", str(folder / "data"))
