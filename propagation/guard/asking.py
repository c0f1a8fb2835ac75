"""Judges a request by the trust there is now: an unknown key is asked for once, faults of ours are refused."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from bindtrace.propagation.guard.judge import judge
from bindtrace.propagation.guard.memory import Memory
from bindtrace.propagation.guard.request import Judgement, Receiver, Request, Trust, TrustSource

NEWS_S: Final = 2.0
log = logging.getLogger("bindtrace.guard")


def judge_now(
    request: Request, receiver: Receiver, trust: Trust, memory: Memory, *, now_s: float
) -> Judgement:
    """`judge`, and `internal_error` where it raises: whatever goes wrong here is ours, and refused."""
    try:
        return judge(request, receiver, trust, memory, now_s=now_s)
    except Exception:
        log.exception("event=guard_fault reason=internal_error")
        return Judgement("internal_error")


async def judge_asking(
    request: Request, receiver: Receiver, source: TrustSource, memory: Memory, *, now_s: float
) -> tuple[Judgement, Trust]:
    """The judgement and the trust that it was made by, in an event loop."""
    trust = source.current()
    judgement = judge_now(request, receiver, trust, memory, now_s=now_s)
    if judgement.reason != "key_unknown":
        return judgement, trust
    try:
        news = source.news()
        if news is not None:
            await asyncio.wait([asyncio.wrap_future(news)], timeout=NEWS_S)
    except Exception:
        log.exception("event=guard_fault reason=internal_error")
        return Judgement("internal_error"), trust
    if news is None:
        return judgement, trust
    trust = source.current()
    return judge_now(request, receiver, trust, memory, now_s=now_s), trust
