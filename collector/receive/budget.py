"""How many bytes of requests may be in memory at once, from their first byte to their answer. No I/O here."""

from __future__ import annotations

BUDGET_BYTES = 256 * 1024 * 1024
SHARE = 0.5
"""Of the budget, that one sender may hold: a single one cannot shut the others out."""


class Budget:
    """A counter with a limit, shared by both transports. Used on one event loop."""

    def __init__(self, limit_bytes: int = BUDGET_BYTES, share: float = SHARE) -> None:
        self._limit = limit_bytes
        self._share = int(limit_bytes * share)
        self.used = 0
        self._by_sender: dict[str, int] = {}

    def charge(self, sender: str = "") -> Charge:
        """An account of one request, empty at first. `sender` is its identity, else its host."""
        return Charge(self, sender)

    def _take(self, count: int, sender: str) -> bool:
        held = self._by_sender.get(sender, 0) + count
        if self.used + count > self._limit or (sender and held > self._share):
            return False
        self.used += count
        self._by_sender[sender] = held
        return True

    def _give_back(self, count: int, sender: str) -> None:
        self.used -= count
        left = self._by_sender.get(sender, 0) - count
        if left > 0:
            self._by_sender[sender] = left
        else:
            self._by_sender.pop(sender, None)


class Charge:
    """What one request holds of the budget; given back when the `with` block ends."""

    __slots__ = ("_budget", "_sender", "held")

    def __init__(self, budget: Budget, sender: str) -> None:
        self._budget = budget
        self._sender = sender
        self.held = 0

    def take(self, count: int) -> bool:
        """False where there is no room: the request is refused as retryable, nothing is queued."""
        if not self._budget._take(count, self._sender):
            return False
        self.held += count
        return True

    def __enter__(self) -> Charge:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget._give_back(self.held, self._sender)
        self.held = 0
