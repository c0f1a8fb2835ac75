"""Judges by the trust there is now, on a thread that may wait, as WSGI and gRPC servers have them."""

from __future__ import annotations

import logging

from bindtrace.propagation.guard.asking import NEWS_S, judge_now
from bindtrace.propagation.guard.memory import Memory
from bindtrace.propagation.guard.request import Judgement, Receiver, Request, Trust, TrustSource

log = logging.getLogger("bindtrace.guard")


def judge_blocking(
    request: Request, receiver: Receiver, source: TrustSource, memory: Memory, *, now_s: float
) -> tuple[Judgement, Trust]:
    """The judgement and the trust that it was made by; an unknown key is asked for once, within two seconds."""
    trust = source.current()
    judgement = judge_now(request, receiver, trust, memory, now_s=now_s)
    if judgement.reason != "key_unknown":
        return judgement, trust
    try:
        if (news := source.news()) is None:
            return judgement, trust
        news.exception(timeout=NEWS_S)
    except TimeoutError:
        log.info("event=no_news_in_time")
    except Exception:
        log.exception("event=guard_fault reason=internal_error")
        return Judgement("internal_error"), trust
    trust = source.current()
    return judge_now(request, receiver, trust, memory, now_s=now_s), trust
