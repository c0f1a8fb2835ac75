"""What campaigns of kills share: whom to kill, and how to judge what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from serving import Collector

RETRYABLE = {429, 502, 503, 504}


def everything(collector: Collector) -> None:
    children = collector.children()
    for process in (*children["receive"], *children["store"]):
        process.kill()
    collector.process.kill()


def supervisor(collector: Collector) -> None:
    collector.children()
    collector.process.kill()


def judge(acknowledged: Sequence[bytes], found: Counter[bytes], said: str = "") -> None:
    """Acknowledged is stored, and nothing is twice."""
    lost = set(acknowledged) - set(found)
    assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged spans are lost {said}"
    assert [span_id.hex() for span_id, count in found.items() if count > 1] == [], said
