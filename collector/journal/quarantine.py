"""Where bytes go that cannot be loaded: kept whole, listed in `index.jsonl`, and removed only once they are stored."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bindtrace.collector.journal.record import Request, Unpacked, find_next, unpack
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.durable import sync_path, write_durably

FOLDER = "quarantine"
INDEX = "index.jsonl"


class Quarantine:
    """The quarantine of one journal root. Setting the same bytes aside twice is one entry."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def put(
        self,
        data: bytes,
        *,
        reason: str,
        segment_id: uuid.UUID,
        start: int,
        end: int,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Keeps the bytes from `start` to `end` of a segment. Durable on return. Raises `OSError`.

        `details`: for damage `seed` and the window that may be lost; for a refused request what `fields_of` gives.
        """
        target = self._folder / f"{segment_id.hex}-{start}-{end}.bin"
        if target.exists():
            return
        if not self._folder.exists():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            sync_path(self._folder.parent)
        entry = {
            "reason": reason,
            "segment": segment_id.hex,
            "start": start,
            "end": end,
            "bytes": len(data),
            "file": target.name,
            "found_unix_nano": str(now_unix_nano()),
            **(details or {}),
        }
        write_durably(self._folder / INDEX, (json.dumps(entry) + "\n").encode(), os.O_APPEND)
        partial = target.with_suffix(".part")
        write_durably(partial, data, os.O_TRUNC)
        partial.rename(target)
        sync_path(self._folder)

    def entries(self) -> list[dict[str, Any]]:
        """What is set aside and still here, oldest first, each place once."""
        try:
            lines = (self._folder / INDEX).read_text("utf-8", "replace").splitlines()
        except OSError:
            return []
        found: dict[Any, dict[str, Any]] = {}
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:  # a line that a crash cut short: the bytes are set aside again
                continue
            if (self._folder / str(entry.get("file"))).is_file():
                found.setdefault(entry["file"], entry)
        return list(found.values())

    def requests_of(self, entry: Mapping[str, Any]) -> tuple[list[Request], bool]:
        """What of an entry can be read now, and whether that is all of its bytes. Raises `OSError`."""
        data = (self._folder / str(entry["file"])).read_bytes()
        if "digest" in entry:
            return [_request(entry, data)], True
        seed = int(entry.get("seed", -1))
        requests: list[Request] = []
        view, at, covered = memoryview(data), 0, 0
        while seed >= 0 and (found_at := find_next(view, at, seed)) is not None:
            found = unpack(view, found_at, seed)
            assert isinstance(found, Unpacked)
            requests.append(found.request)
            covered += found.end - found_at
            at = found.end
        return requests, covered == len(data)

    def remove(self, entry: Mapping[str, Any]) -> None:
        """Its requests are stored: lets go of the bytes; the folder goes with the last. Raises `OSError`."""
        (self._folder / str(entry["file"])).unlink()
        sync_path(self._folder)
        if not self.entries():
            with contextlib.suppress(OSError):
                (self._folder / INDEX).unlink()
                self._folder.rmdir()


def fields_of(request: Request) -> dict[str, Any]:
    """All of a request but its body, as an entry keeps it, so that it can be tried again."""
    return {
        "sender": request.sender,
        "protocol": request.protocol,
        "encoding": request.encoding,
        "received_unix_nano": str(request.received_unix_nano),
        "digest": request.digest.hex(),
        "spans": request.spans,
        "lost_from_unix_nano": str(request.received_unix_nano),
        "lost_until_unix_nano": str(request.received_unix_nano),
    }


def _request(entry: Mapping[str, Any], body: bytes) -> Request:
    return Request(
        str(entry["sender"]),
        str(entry["protocol"]),
        str(entry["encoding"]),
        int(entry["received_unix_nano"]),
        bytes.fromhex(entry["digest"]),
        int(entry["spans"]),
        body,
    )
