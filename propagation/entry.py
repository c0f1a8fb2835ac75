"""Where the command begins. It imports next to nothing itself: while the rest is imported, Ctrl-C ends in silence."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, NoReturn

INTERRUPTED = 130  # 128 + SIGINT, as shells count


class EndingAtOnce:
    """Inside, Ctrl-C ends the process with status 130 and no word: nothing has begun that had to be put in order.

    Not an exception: modules written in C make an `ImportError` of one that reaches them. Where SIGINT is ignored, as
    in a background job, or has a handler, it stays so; outside of the main thread nothing changes.
    """

    def __enter__(self) -> None:
        self._mine = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._mine:
            self._mine = _handled(lambda *_: os._exit(INTERRUPTED))

    def __exit__(self, kind: type[BaseException] | None, fault: Any, trace: TracebackType | None) -> None:
        if self._mine:
            _handled(signal.default_int_handler)


def main() -> NoReturn:
    """The command `bindtrace`: see `command.main`."""
    with EndingAtOnce():
        from bindtrace.propagation.command import main as run
    run()


def _handled(by: Any) -> bool:
    try:
        signal.signal(signal.SIGINT, by)
    except ValueError:  # only the main thread may
        return False
    return True
