"""Writes an audit into an empty folder: facts as JSON, evidence as Parquet, a page, digests, and their signature."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from bindtrace.propagation.errors import Refusal
from bindtrace.queries import cells
from bindtrace.queries.audit.facts import REPORTS, Facts
from bindtrace.queries.audit.page import page
from bindtrace.queries.audit.signing import Key, public_pem, sign
from bindtrace.queries.audit.unseen import unseen
from bindtrace.queries.report_keys import keys_of

FORMAT: Final = "bindtrace-audit/1"
DIGESTS, SIGNATURE, PUBLIC_KEY = "digests.json", "signature.jws", "public-key.pem"
UNLISTED: Final = (DIGESTS, SIGNATURE, PUBLIC_KEY)
"""What the digests cannot list: themselves, and what vouches for them."""

_INTEGERS: Final = frozenset({"start_time_unix_nano", "end_time_unix_nano", "received_unix_nano"})
_TYPES: Final[Mapping[str, pa.DataType]] = {
    "kind": pa.uint8(),
    "status_code": pa.uint8(),
    "why": pa.list_(pa.string()),
    **dict.fromkeys(_INTEGERS, pa.uint64()),
}


def write(folder: Path, facts: Facts, key: Key, made_unix_nano: int) -> list[str]:
    """The names of the files that were written. Raises `Refusal` for a folder that is not empty or cannot be written.

    The digests come last: what was interrupted does not verify.
    """
    _ready(folder)
    sentences = unseen(facts)
    about = {
        "format": FORMAT,
        "bindtrace": version("bindtrace"),
        "made_unix_nano": str(made_unix_nano),
        "since_unix_nano": str(facts.since_unix_nano),
        "until_unix_nano": str(min(facts.until_unix_nano, made_unix_nano)),
        "environment": facts.environment,
        "source": facts.source,
        "calls": facts.calls,
        "calls_by_road": facts.roads,
        "evidence_spans": len(facts.evidence),
        "evidence_cut": facts.evidence_cut,
    }
    held = asdict(facts)
    contents: dict[str, bytes] = {
        "README.md": page(facts, sentences, made_unix_nano).encode(),
        "about.json": _json(about),
        "unseen.json": _json(list(sentences)),
        **{f"{report}.json": _json(held[report]) for report in REPORTS},
    }
    try:
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        pq.write_table(_table(facts.evidence), folder / "evidence.parquet", compression="zstd")
        names = [*contents, "evidence.parquet"]
        digests = _json(
            {"format": FORMAT, "files": {name: digest_of(folder / name) for name in sorted(names)}}
        )
        (folder / PUBLIC_KEY).write_bytes(public_pem(key))
        (folder / DIGESTS).write_bytes(digests)
        (folder / SIGNATURE).write_text(sign(digests, key) + "\n")
    except OSError as error:
        raise Refusal(
            f"cannot write {folder}: {error.strerror}", fix="name a writable folder with -o"
        ) from None
    return [*names, *UNLISTED]


def digest_of(path: Path) -> dict[str, Any]:
    """SHA-256 and length of a file's bytes."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": found, "bytes": path.stat().st_size}


def _ready(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        filled = any(folder.iterdir())
    except OSError as error:
        raise Refusal(
            f"cannot write {folder}: {error.strerror}", fix="name a writable folder with -o"
        ) from None
    if filled:
        raise Refusal(
            f"{folder} is not empty", fix="name a new folder with -o: an audit is never written over"
        )


def _json(value: Any) -> bytes:
    return (cells.json_safe(json.dumps(value, ensure_ascii=False, indent=2)) + "\n").encode()


def _table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    names = keys_of("evidence")
    columns = {
        name: [int(row[name]) if name in _INTEGERS and row[name] is not None else row[name] for row in rows]
        for name in names
    }
    schema = pa.schema([(name, _TYPES.get(name, pa.string())) for name in names])
    return pa.table(columns, schema=schema)
