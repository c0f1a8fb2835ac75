"""T14: clients that say their requests slowly or not at all are closed, and the others do not feel them."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import time
from pathlib import Path

import psutil
from campaigning import quantity
from certificates import certificate
from receiving import PROTOBUF, Load, export, running_receivers
from support import wait_for

HEAD = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100000\r\n\r\n"


def connected(address: str, count: int, said: bytes) -> list[socket.socket]:
    host, _, port = address.rpartition(":")
    made = []
    for _ in range(count):
        made.append(socket.create_connection((host, int(port)), timeout=10))
        made[-1].sendall(said)
    return made


def test_slow_clients_are_closed_and_good_ones_are_answered(tmp_path) -> None:  # type: ignore[no-untyped-def]
    heads, bodies, silent = (
        quantity(small=50, full=500),
        quantity(small=30, full=300),
        quantity(small=20, full=200),
    )
    with running_receivers(tmp_path / "journal", 1) as receivers, contextlib.ExitStack() as held:
        process = psutil.Process(receivers.processes[0].pid)
        base = process.num_fds()
        slow = connected(receivers.http, heads, HEAD[:20]) + connected(receivers.http, silent, b"")
        trickling = connected(receivers.http, bodies, HEAD)
        stalled = connected(receivers.grpc, silent // 2, b"PRI * HTTP/2.0\r\n")
        for sock in (*slow, *trickling, *stalled):
            held.callback(sock.close)
        began = time.monotonic()
        took: list[float] = []
        good = http.client.HTTPConnection(receivers.http, timeout=10)
        with Load(receivers.http, senders=2):
            while time.monotonic() - began < quantity(small=36, full=180):
                for sock in trickling:
                    with contextlib.suppress(OSError):
                        sock.send(b"x")
                before = time.monotonic()
                good.request("POST", "/v1/traces", export(os.urandom(8)).SerializeToString(), PROTOBUF)
                good.getresponse().read()
                took.append(time.monotonic() - before)
                time.sleep(0.02)
        good.close()

        open_still = [sock for sock in (*slow, *trickling, *stalled) if not _closed(sock)]

        assert open_still == []
        assert sorted(took)[int(len(took) * 0.99)] < 0.25
        wait_for(lambda: process.num_fds() <= base + 10, seconds=10, what="file descriptors to be given back")


def test_tls_handshakes_that_stall_are_closed(tmp_path: Path) -> None:
    authority = certificate("authority", None, tmp_path)
    certificate("collector", authority, tmp_path)
    options = ("--tls-cert", str(tmp_path / "collector.pem"), "--tls-key", str(tmp_path / "collector.key"))
    with running_receivers(tmp_path / "journal", 1, options) as receivers, contextlib.ExitStack() as held:
        # The first bytes of a ClientHello, and then nothing.
        half = connected(receivers.http, quantity(small=20, full=100), b"\x16\x03\x01\x02\x00\x01")
        for sock in half:
            held.callback(sock.close)

        wait_for(lambda: all(map(_closed, half)), seconds=12, what="stalled handshakes to be closed")


def _closed(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        while sock.recv(4096):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
