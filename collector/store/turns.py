"""When loading and analysis meet: a run has all that had come when it began. Shared by two threads; loads nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Loading looks into the journal now and then; analysis asks it to look, and waits until it has."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._begun = self._done = self._wanted = self._met = 0
        self._away = self._over = False

    def rest(self, seconds: float) -> None:
        """Loading: nothing more for so long, or until it is asked."""
        with self._changed:
            self._changed.wait_for(lambda: self._wanted > self._begun or self._over, seconds)

    @contextmanager
    def look(self) -> Iterator[None]:
        """Loading: it stores what had come when this began. Who asks meanwhile waits for the next."""
        with self._changed:
            self._begun += 1
        yield
        with self._changed:
            self._done = self._begun
            self._changed.notify_all()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Loading: it does something else meanwhile, and nobody waits for it."""
        self._set(away=True)
        try:
            yield
        finally:
            self._set(away=False)

    def ask(self) -> None:
        """Analysis: loading should look once more, as what it finds will soon be wanted. Returns at once."""
        with self._changed:
            self._wanted = self._begun + 1
            self._changed.notify_all()

    def meet(self, seconds: float) -> None:
        """Analysis: returns when loading has looked since it was last asked, which it is now where it was not.

        At once where it is away, and at the latest after so long.
        """
        with self._changed:
            if self._wanted == self._met:
                self.ask()
            self._changed.wait_for(lambda: self._done >= self._wanted or self._away or self._over, seconds)
            self._met = self._wanted

    def end(self) -> None:
        """Nobody rests any more, and nobody is waited for."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _set(self, *, away: bool) -> None:
        with self._changed:
            self._away = away
            self._changed.notify_all()
