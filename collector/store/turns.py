"""When loading and analysis meet: a run has all that had come when it began. Shared by two threads; loads nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Loading looks into the journal now and then; analysis asks it to look, and waits until it has."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._looks = 0
        self._asked = self._away = self._over = False

    def rest(self, seconds: float) -> None:
        """Loading: nothing more for so long, or until it is asked."""
        with self._changed:
            self._changed.wait_for(lambda: self._asked or self._over, seconds)

    def looked(self) -> None:
        """Loading: what had come is stored."""
        with self._changed:
            self._looks += 1
            self._asked = False
            self._changed.notify_all()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Loading: it does something else meanwhile, and nobody waits for it."""
        self._set(away=True)
        try:
            yield
        finally:
            self._set(away=False)

    def ask(self, seconds: float) -> None:
        """Analysis: returns when loading has looked once more, at once where it is away, or after so long."""
        with self._changed:
            looks, self._asked = self._looks, True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._looks > looks or self._away or self._over, seconds)

    def end(self) -> None:
        """Nobody rests any more, and nobody is waited for."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _set(self, *, away: bool) -> None:
        with self._changed:
            self._away = away
            self._changed.notify_all()
