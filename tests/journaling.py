"""What tests of the journal share: requests of any size, and what a reader gave."""

from __future__ import annotations

import random
import uuid
from pathlib import Path

from bindtrace.collector.journal.reader import Batch
from bindtrace.collector.journal.record import Request

ALL = 1 << 40


def request(number: int, size: int = 100) -> Request:
    body = random.Random(number).randbytes(size)
    return Request("orders/sdk", "grpc", "protobuf", number, number.to_bytes(16, "big"), 1, body)


def numbers(batches: list[Batch]) -> list[int]:
    return [item.received_unix_nano for batch in batches for item in batch.requests]


def after(batches: list[Batch]) -> dict[uuid.UUID, int]:
    return {batch.segment_id: batch.end for batch in batches}


def only_segment(root: Path) -> Path:
    (path,) = root.glob("*/*.seg")
    return path
