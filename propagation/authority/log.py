"""The issuance log: one entry per credential, each hashed with the one before, so that none can be taken out unseen.

Never a token, a key or a secret: identifiers, times and thumbprints. Pure; the store keeps it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final

GENESIS: Final = "0" * 64


def entry_of(kind: str, at_s: int, **said: Any) -> str:
    """One entry as JSON with sorted members: the bytes that are hashed."""
    return json.dumps({"kind": kind, "at": at_s, **said}, sort_keys=True, separators=(",", ":"))


def chained(before: str, entry: str) -> str:
    """The hash of an entry, given that of the one before it (`GENESIS` for the first)."""
    return hashlib.sha256(f"{before}\n{entry}".encode()).hexdigest()


def first_broken(entries: Iterable[tuple[int, str, str]]) -> int | None:
    """The number of the first entry that is missing or changed; None where the chain holds.

    `entries` are (number, entry, hash) in order, from 1.
    """
    before, expected = GENESIS, 1
    for number, entry, sha256 in entries:
        if number != expected or sha256 != chained(before, entry):
            return expected
        before, expected = sha256, expected + 1
    return None
