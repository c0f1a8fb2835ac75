"""The name of a lake as a person writes it: its catalog, and where its data are. Opens nothing, and needs no DuckDB."""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bindtrace.propagation.errors import Refusal

PREFIX: Final = "ducklake:"
S3: Final = "s3://"
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
        return Lake(place.catalog, _data_at(data))
    return Lake(place.catalog, _data_at(data or f"{place.catalog.removeprefix(PREFIX)}.data"))


def is_object_store(data: str) -> bool:
    """Whether a lake's data are there, and not in a folder."""
    return data.startswith(S3)


def _data_at(data: str) -> str:
    """As it may be stored and shown: a credential has no place in it."""
    if "://" not in data:
        return str(Path(data).absolute())
    parts = urllib.parse.urlsplit(data)
    if parts.query or "@" in parts.netloc:
        raise LakeRefusal(
            "--data holds more than a bucket and a prefix, which would be stored and shown",
            fix="write it as s3://BUCKET/PREFIX, and give credentials by AWS_* variables or files",
        )
    if not is_object_store(data) or not parts.netloc:
        raise LakeRefusal(f"{data} is no place for a lake's data", fix="name a folder, or s3://BUCKET/PREFIX")
    return data


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
