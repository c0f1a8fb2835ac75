"""What this process opens and whom it connects to, seen by an audit hook (PEP 578). Changes nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

_watchers: list[Watched] = []


class Watched:
    """`opened`: files by their real names. `asked`: addresses and host names that are not this machine's."""

    def __init__(self) -> None:
        self.opened: set[str] = set()
        self.asked: set[str] = set()


@contextmanager
def watching() -> Iterator[Watched]:
    """What happens in the block, in any thread."""
    watched = Watched()
    _watchers.append(watched)
    try:
        yield watched
    finally:
        _watchers[:] = [one for one in _watchers if one is not watched]


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if not _watchers:
        return
    if event == "open" and isinstance(arguments[0], str | bytes):
        flags = arguments[2] if isinstance(arguments[2], int) else 0
        if flags & os.O_NOFOLLOW and os.path.islink(arguments[0]):
            return  # the system refuses it
        name = os.path.realpath(os.fsdecode(arguments[0]))
        for one in _watchers:
            one.opened.add(name)
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        _asked(str(arguments[1][0]))
    elif event == "socket.getaddrinfo" and arguments[0]:
        host = (
            arguments[0].decode("ascii", "replace") if isinstance(arguments[0], bytes) else str(arguments[0])
        )
        if not _is_address(host):  # an address is only read, and nobody is asked for it
            _asked(host)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _asked(host: str) -> None:
    try:
        here = ip_address(host).is_loopback or ip_address(host).is_unspecified
    except ValueError:
        here = host == "localhost"
    if not here:
        for one in _watchers:
            one.asked.add(host)


sys.addaudithook(_hook)
