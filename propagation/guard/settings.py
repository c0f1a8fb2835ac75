"""What every guard is told: mode, who it stands for, what it trusts. The same for ASGI, WSGI, gRPC and proxies."""

from __future__ import annotations

from collections.abc import Callable
from typing import NotRequired, TypedDict

from bindtrace.propagation import clock
from bindtrace.propagation.guard.memory import Memory
from bindtrace.propagation.guard.modes import MODES
from bindtrace.propagation.guard.request import Receiver, TrustSource
from bindtrace.propagation.vocabulary import Mode


class Settings(TypedDict):
    """`mode` has no default: `observe` judges and lets pass, `enforce` refuses.

    `explain` names the exact reason to the caller, for development; otherwise only its class, the reason being on
    the span. `memory` is what was seen before (replays, verified tokens); its own where none is given.
    """

    mode: Mode
    receiver: Receiver
    trust: TrustSource
    memory: NotRequired[Memory | None]
    explain: NotRequired[bool]
    now_unix_nano: NotRequired[Callable[[], int]]


class Guard:
    """Raises ValueError for a mode that is none."""

    def __init__(
        self,
        *,
        mode: Mode,
        receiver: Receiver,
        trust: TrustSource,
        memory: Memory | None = None,
        explain: bool = False,
        now_unix_nano: Callable[[], int] = clock.now_unix_nano,
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"mode={mode!r} is not one of {MODES}")
        self.mode, self.receiver, self.trust, self.explain = mode, receiver, trust, explain
        self.memory = Memory() if memory is None else memory
        self._now_unix_nano = now_unix_nano
