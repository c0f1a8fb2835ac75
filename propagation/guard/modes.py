"""From a reason to what happens: observe, enforce, and the three faults of our own that may fail open. Data, no I/O."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal, NamedTuple

from bindtrace.propagation.decision import Facts, decide
from bindtrace.propagation.guard.request import Judgement, Receiver
from bindtrace.propagation.vocabulary import CLASS_OF_REASON, Mode

FORBIDDEN: Final = 403
UNAVAILABLE: Final = 503
MODES: Final[tuple[Mode, ...]] = ("off", "observe", "enforce")
"""Weakest first."""
FailureMode = Literal["closed", "open"]


class Outcome(NamedTuple):
    """`decision`: what is done; `would`: what enforcing would do. `status` only for a refusal.

    403 for all that a caller can cause, never 401 or 5xx: Envoy's `failure_mode_allow` lets a request through on
    any 5xx from whoever it asks.
    """

    decision: Literal["allow", "deny"]
    would: Literal["allow", "deny"]
    status: int | None
    mode: Mode
    failure_mode: FailureMode | None


def outcome(judgement: Judgement, mode: Mode, receiver: Receiver, *, now_s: float) -> Outcome:
    """What a guard in `mode` does; a binding's own mode can weaken it, and only the system class can fail open."""
    binding_mode: Mode = judgement.binding.mode if judgement.binding else "enforce"
    weaker = min(mode, binding_mode, key=MODES.index)
    may_open = now_s < receiver.fail_open_until_s
    return _outcome(judgement.reason, weaker, "open" if may_open else "closed")


@lru_cache(maxsize=1024)
def _outcome(reason: str, mode: Mode, failure_mode: FailureMode) -> Outcome:
    facts = Facts(
        receiver=reason, manifest="present", caller="service", callee="service", grant="no", entry="unknown"
    )
    if decide(facts).verdict == "allowed":
        return Outcome("allow", "allow", None, mode, None)
    system = CLASS_OF_REASON[reason] == "system"
    failed = failure_mode if system else None
    if mode != "enforce":
        return Outcome("allow", "deny", None, mode, failed)
    if failed == "open":
        return Outcome("allow", "deny", None, mode, failed)
    return Outcome("deny", "deny", UNAVAILABLE if system else FORBIDDEN, mode, failed)
