"""What this receiver did with each sender's requests: counted, and journaled once a second. Refuses nothing.

The record's form is told in `store/accounting.py`, which reads it. Both the senders and the reasons of one are bounded:
what is beyond is counted under `(others)`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

import orjson

from bindtrace.collector.journal.record import Request
from bindtrace.collector.journal.segment import JournalError
from bindtrace.collector.otlp.admit import Admitted
from bindtrace.collector.receive.group import GroupCommit
from bindtrace.propagation.clock import now_unix_nano

ENCODING: Final = "accounting"
PERIOD_S: Final = 1.0
_MAX_SENDERS = 1000
_MAX_REASONS = 200
_MAX_TEXT = 200
_OTHERS = "(others)"
log = logging.getLogger("bindtrace.receive")


class Sender(NamedTuple):
    """Who sent: as its telemetry says, `identity` as it proved by token or certificate. Empty where unknown."""

    service: str = ""
    sdk: str = ""
    version: str = ""
    protocol: str = ""
    identity: str = ""


class Accounting:
    """Counters on one event loop; `records` takes them away."""

    def __init__(self) -> None:
        self._counts: dict[Sender, dict[str, Counter[str]]] = {}

    def admitted(self, admitted: Admitted, protocol: str, identity: str, quirks: Mapping[str, int]) -> None:
        """A request that was acknowledged: its spans, and what was odd about it."""
        service, _, sdk = admitted.sender.rpartition("/")
        counts = self._of(Sender(service, sdk, admitted.version, protocol, identity))
        counts["requests"][""] += 1
        counts["accepted"][""] += admitted.spans
        for what, reasons in (
            ("rejected", admitted.reasons),
            ("quirks", admitted.quirks),
            ("quirks", quirks),
            ("redacted", {f"{kind} in {place}": count for (place, kind), count in admitted.redacted.items()}),
        ):
            for reason, count in reasons.items():
                _add(counts[what], reason, count)

    def refused(self, cause: str, protocol: str, identity: str, admitted: Admitted | None = None) -> None:
        """A request that was not acknowledged; of whom is known only where it could be read."""
        service, _, sdk = admitted.sender.rpartition("/") if admitted else ("", "", "")
        version = admitted.version if admitted else ""
        _add(self._of(Sender(service, sdk, version, protocol, identity))["refused"], cause, 1)

    def records(self) -> list[Request]:
        """What was counted since the last call, one record a sender."""
        counted, self._counts = self._counts, {}
        now = now_unix_nano()
        return [_record(sender, counts, now) for sender, counts in counted.items()]

    def take_back(self, records: list[Request]) -> None:
        """Counts again what could not be written."""
        for record in records:
            document = orjson.loads(record.body)
            counts = self._of(Sender(**document["sender"]))
            for what, reasons in document["counts"].items():
                counts[what].update(reasons)

    def _of(self, sender: Sender) -> dict[str, Counter[str]]:
        found = self._counts.get(sender)
        if found is None:
            sender = Sender(*(text[:_MAX_TEXT] for text in sender))
            if len(self._counts) >= _MAX_SENDERS and sender not in self._counts:
                sender = Sender(_OTHERS, "", "", sender.protocol, "")
            found = self._counts.setdefault(sender, _empty())
        return found


async def keep_writing(accounting: Accounting, group: GroupCommit) -> None:
    """Writes once a second what there is, until it is cancelled; then a last time."""
    try:
        while True:
            await asyncio.sleep(PERIOD_S)
            await write(accounting, group)
    finally:
        await write(accounting, group)


async def write(accounting: Accounting, group: GroupCommit) -> None:
    """Journals what was counted. What cannot be written now is kept for the next time."""
    if records := accounting.records():
        outcomes = await asyncio.gather(*(group.commit(record) for record in records), return_exceptions=True)
        kept = [
            record
            for record, outcome in zip(records, outcomes, strict=True)
            if isinstance(outcome, JournalError)
        ]
        with contextlib.suppress(ValueError):
            accounting.take_back(kept)


def _empty() -> dict[str, Counter[str]]:
    names = ("requests", "accepted", "rejected", "refused", "redacted", "quirks")
    return {name: Counter() for name in names}


def _add(counter: Counter[str], reason: str, count: int) -> None:
    if reason not in counter and len(counter) >= _MAX_REASONS:
        reason = _OTHERS
    counter[reason[:_MAX_TEXT]] += count


def _record(sender: Sender, counts: Mapping[str, Counter[str]], now: int) -> Request:
    document = {
        "sender": sender._asdict(),
        "last_seen_unix_nano": str(now),
        "counts": {what: dict(reasons) for what, reasons in counts.items() if reasons},
    }
    name = f"{sender.service}/{sender.sdk}"
    # A digest of its own: two equal records are two.
    return Request(name, sender.protocol, ENCODING, now, uuid.uuid4().bytes, 0, orjson.dumps(document))
