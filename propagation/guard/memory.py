"""What a receiver remembers between requests: proofs seen, tokens and certificates verified. Bounded, in memory.

Verified tokens are kept, the match of a proof or a certificate never is.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from threading import Lock
from typing import Final, Generic, Literal, TypeVar

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.identity.peer import Leaf
from bindtrace.propagation.identity.wit import Wit

Key = tuple[object, ...]
V = TypeVar("V")
NEGATIVE_S: Final = 30.0


class Kept(Generic[V]):
    """A map of at most `size` entries, each until its own time; the longest unused goes first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._entries: OrderedDict[Key, tuple[V, float]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key, now_s: float) -> V | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry[1] <= now_s:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, key: Key, value: V, until_s: float) -> None:
        with self._lock:
            self._entries[key] = value, until_s
            self._entries.move_to_end(key)
            while len(self._entries) > self.size:
                self._entries.popitem(last=False)

    def __len__(self) -> int:
        return len(self._entries)


class ReplayCache:
    """Which proofs were used, until they end. Full means full: a proof that cannot be remembered is not taken.

    `quota` bounds one key's share, so that no caller fills it for the others.
    """

    def __init__(self, size: int = 200_000, quota: int = 50_000) -> None:
        self.size, self.quota = size, quota
        self._seen: set[tuple[str, str]] = set()
        self._ending: list[tuple[float, tuple[str, str]]] = []
        self._of_key: Counter[str] = Counter()
        self._lock = Lock()

    def take(self, key: str, jti: str, until_s: float, now_s: float) -> Literal["new", "seen", "full"]:
        """Notes the proof `jti` of the key with that thumbprint; `new` exactly once while it can be valid."""
        proof = (key, jti)
        with self._lock:
            self._forget(now_s)
            if proof in self._seen:
                return "seen"
            if len(self._seen) >= self.size or self._of_key[key] >= self.quota:
                return "full"
            self._seen.add(proof)
            self._of_key[key] += 1
            heapq.heappush(self._ending, (until_s, proof))
            return "new"

    def _forget(self, now_s: float) -> None:
        while self._ending and self._ending[0][0] <= now_s:
            _, proof = heapq.heappop(self._ending)
            self._seen.discard(proof)
            self._of_key[proof[0]] -= 1
            if self._of_key[proof[0]] <= 0:
                del self._of_key[proof[0]]

    def __len__(self) -> int:
        return len(self._seen)


class Memory:
    """One per process; threads may share it."""

    def __init__(self, replay: ReplayCache | None = None) -> None:
        self.replay = ReplayCache() if replay is None else replay
        self.tokens: Kept[Wit] = Kept(4096)
        """By text, which is never longer than a token may be, as it verified."""
        self.refused_tokens: Kept[Absent] = Kept(4096)
        """By hash, apart from the good ones, so that a flood of bad tokens cannot push those out."""
        self.leaves: Kept[tuple[Leaf | Absent, float]] = Kept(1024)
        """By certificate (8 KiB at most) and bundle: the leaf, and until when an authority vouches for it."""
