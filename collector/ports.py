"""Addresses a collector listens on, and their sockets: parse, probe, reserve, listen. Never accepts."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
from pathlib import Path
from typing import NamedTuple

from bindtrace.propagation.errors import Refusal

BACKLOG = 2048


class Address(NamedTuple):
    """Where to listen. Text form HOST:PORT, `[HOST]:PORT` for IPv6; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises `Refusal` for anything but HOST:PORT."""
        host, colon, port = text.rpartition(":")
        host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
            raise Refusal(f"`{text}` is not an address", fix="write HOST:PORT, for example 127.0.0.1:4317")
        return cls(host, int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it; every address that the name resolves to is asked."""
        return all(ipaddress.ip_address(str(found[4][0])).is_loopback for found in _resolve(self))


def reserve(address: Address) -> socket.socket:
    """Binds the address without listening, so that it stays ours and children can bind it too.

    Raises `Refusal` where somebody listens there already, naming who where that can be known. First binds
    without SO_REUSEPORT: with it, a second gRPC server would bind beside a first without an error.
    """
    with _bound(address, socket.SO_REUSEADDR) as probe:
        port = probe.getsockname()[1]
    return _bound(Address(address.host, port), socket.SO_REUSEPORT)


def listen(address: Address) -> socket.socket:
    """A listening socket on an address that the supervisor reserved; several processes may share it."""
    listener = _bound(address, socket.SO_REUSEPORT, socket.SO_REUSEADDR)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def address_of(bound: socket.socket, host: str) -> Address:
    """The address of a bound socket, under the name that was asked for."""
    return Address(host, bound.getsockname()[1])


def _bound(address: Address, *options: int) -> socket.socket:
    """SO_REUSEADDR on listener and probe: connections that outlive a collector are not taken for a listener."""
    family, kind, protocol, _, target = _resolve(address)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        for option in options:
            bound.setsockopt(socket.SOL_SOCKET, option, 1)
        bound.bind(target)
    except OSError as error:
        bound.close()
        raise _refusal(address, error) from error
    return bound


def _resolve(
    address: Address,
) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]]:
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise Refusal(
            f"cannot listen on {address}: {error.strerror}", fix="name an address of this machine"
        ) from error
    return [
        (family, kind, protocol, name, (str(target[0]), int(target[1])))
        for family, kind, protocol, name, target in found
    ]


def _refusal(address: Address, error: OSError) -> Refusal:
    if error.errno == errno.EADDRINUSE:
        who = _listener(address.port)
        return Refusal(
            f"port {address.port} of {address.host} is in use{f' by {who}' if who else ''}",
            fix="stop it, or choose another port (0 takes a free one)",
        )
    fix = "choose a port above 1023" if error.errno == errno.EACCES else "name an address of this machine"
    return Refusal(f"cannot listen on {address}: {error.strerror}", fix=fix)


def _listener(port: int) -> str | None:
    """`process PID (NAME)` of who listens on a port, where Linux lets us see it."""
    inodes = {
        f"socket:[{fields[9]}]"
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for fields in map(str.split, _lines(table)[1:])
        if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port
    }
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        with contextlib.suppress(OSError):
            for fd in (process / "fd").iterdir():
                if os.readlink(fd) in inodes:
                    return f"process {process.name} ({(process / 'comm').read_text().strip()})"
    return None


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
