"""Connections by callee and generation: a token leaves only on a connection of its own generation. No library here.

What makes and closes connections is the library's; a pool that is retired is handed back once its last call has ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from bindtrace.propagation.identity.bundle import Bundle
from bindtrace.propagation.workload.generation import Generation
from bindtrace.propagation.workload.identity import Identity
from bindtrace.propagation.workload.outgoing import Origin, Target, origin_of

C = TypeVar("C")
Targets = Mapping[str, Target | str]
"""URL of an origin to who answers there: a `Target`, or the name of a service that this workload may call."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Pool(Generic[C]):
    """The connections of one generation to one callee."""

    def __init__(self, generation: Generation, sequence: int, connections: C) -> None:
        self.generation, self.sequence, self.connections = generation, sequence, connections
        self.calls = 0


class Pools(Generic[C]):
    """`make` opens the connections of a generation. Raises Refusal for a service that may not be called."""

    def __init__(
        self, identity: Identity, targets: Targets, make: Callable[[Generation, Bundle, Target], C]
    ) -> None:
        self._identity, self._make = identity, make
        self._targets = {
            origin_of(url): Target(identity.callee(target)) if isinstance(target, str) else target
            for url, target in targets.items()
        }
        self._lock = threading.Lock()
        self._current: dict[Target, Pool[C]] = {}
        self._retired: list[Pool[C]] = []

    def target(self, scheme: str, host: str, port: int | None) -> Target | None:
        """None for what is not declared."""
        return self._targets.get(Origin(scheme, host.lower(), port or _DEFAULT_PORTS.get(scheme, 0)))

    def enter(self, target: Target) -> Pool[C]:
        """The pool of the generation in force; token and connection are taken from the same one."""
        generation, bundle = self._identity.generation, self._identity.bundle
        with self._lock:
            pool = self._current.get(target)
            if pool is None or pool.generation is not generation or pool.sequence != bundle.sequence:
                made = self._make(generation, bundle, target)
                if pool is not None:
                    self._retired.append(pool)
                pool = self._current[target] = Pool(generation, bundle.sequence, made)
            pool.calls += 1
            return pool

    def leave(self, pool: Pool[C]) -> list[C]:
        """The connections that nobody uses any more: to be closed."""
        with self._lock:
            pool.calls -= 1
            idle = [old.connections for old in self._retired if old.calls == 0]
            self._retired = [old for old in self._retired if old.calls > 0]
        return idle

    def all(self) -> list[C]:
        with self._lock:
            return [pool.connections for pool in (*self._current.values(), *self._retired)]
