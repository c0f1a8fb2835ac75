"""The collector as a whole: holds the lock and the ports, and keeps receivers and storage alive. Moves no data.

Every child is given the read end of a pipe whose other end is here, and the lock: children go when we are gone,
and a new collector begins when the last of them is.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from bindtrace.collector.journal.segment import SEGMENT_BYTES
from bindtrace.collector.keeper import Keeper, Narrate
from bindtrace.collector.ports import Address, address_of, reserve
from bindtrace.collector.receive.doors import DoorFiles
from bindtrace.collector.receive.room import JOURNAL_BYTES, RESERVE_BYTES
from bindtrace.collector.store.bounds import MEMORY_BYTES
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.lock import Lock, acquire

GRPC, HTTP, API = (Address("127.0.0.1", port) for port in (4317, 4318, 4319))
START_S = 60.0
RECEIVER_STOP_S = 10.0  # they answer what is in flight within 8 s
STORAGE_BACK_S = 10.0
STORAGE_STOP_S = 30.0  # it drains and checkpoints; killed after, the journal keeps what is not stored


@dataclass(frozen=True, slots=True)
class Settings:
    """What a collector is started with. Port 0 is any free port, `receivers` 0 is one less than the cores.

    Sizes are bytes; `keep_s` and `max_bytes` say what of the stored telemetry may stay, None is without end.
    """

    db: Path
    grpc: Address = GRPC
    http: Address = HTTP
    api: Address = API
    manifests: tuple[Path, ...] = ()
    receivers: int = 0
    journal_max: int = JOURNAL_BYTES
    disk_reserve: int = RESERVE_BYTES
    keep_s: int | None = None
    max_bytes: int | None = None
    doors: DoorFiles = field(default_factory=DoorFiles)
    zipkin: Address | None = None
    memory: int = MEMORY_BYTES
    lake: str | None = None
    data: str | None = None
    seal_after_s: int | None = None
    keep_sealed_s: tuple[tuple[str, int], ...] = ()


class Cancelled(Exception):  # noqa: N818  not an error: somebody asked to stop during the start
    """The start was given up because `stop` was set."""


class Supervisor:
    """`start`, then `stop` from any thread; or a `with` block, which gives the supervisor after its start."""

    def __init__(self, settings: Settings, narrate: Narrate | None = None) -> None:
        """`narrate` gets one line for each event that a person should see; default: standard error."""
        self.settings = settings
        self.endpoints: dict[str, str] = {}
        self._narrate = narrate or _to_stderr
        self._lock: Lock | None = None
        self._reserved: dict[str, socket.socket] = {}
        self._pipe: tuple[int, int] | None = None
        self._storage: Keeper | None = None
        self._receivers: list[Keeper] = []

    def start(self, stop: threading.Event | None = None) -> dict[str, str]:
        """Endpoints (`grpc`, `http`, `api` as HOST:PORT) once everything serves.

        Raises `Refusal` (database held, port in use, a child that cannot begin) and `Cancelled`, both with
        nothing left running.
        """
        try:
            self._lock = acquire(self.settings.db)
            self._reserve_ports()
            self._pipe = os.pipe()
            self._spawn_all()
            self._wait_ready(stop or threading.Event())
            self._lock.publish(self.endpoints | {"api": self.api_url.removeprefix("http://")})
        except BaseException:
            self.stop()
            raise
        return self.endpoints

    @property
    def api_url(self) -> str:
        """The API speaks TLS where other machines can reach it and there is a certificate."""
        tls = self.settings.doors.tls_cert is not None and not self.settings.api.is_loopback
        return f"http{'s' if tls else ''}://{self.endpoints['api']}"

    def stop(self) -> None:
        """Receivers first, so that storage then has all there is. Harmless when done twice."""
        for receiver in self._receivers:
            receiver.ask_to_stop()
        for receiver in self._receivers:
            receiver.wait_stopped(RECEIVER_STOP_S)
        if self._storage is not None:
            if self._storage.ready.is_set():  # where it is just being started again, it could not drain yet
                self._storage.serving.wait(STORAGE_BACK_S)
            self._storage.ask_to_stop()
            self._storage.wait_stopped(STORAGE_STOP_S)
        self._receivers, self._storage = [], None
        for fd in self._pipe or ():
            os.close(fd)
        self._pipe = None
        for held in self._reserved.values():
            held.close()
        self._reserved = {}
        if self._lock is not None:
            with contextlib.suppress(OSError):  # still holds what is not stored, or was never made
                self.journal.rmdir()
            if left := sum(path.stat().st_size for path in self.journal.glob("*/*.seg")):
                self._narrate(
                    f"{left:,} bytes in {self.journal} are kept: the next start stores what of them is not stored yet"
                )
            self._lock.release()
            self._lock = None

    @property
    def journal(self) -> Path:
        """`PATH.journal`."""
        return self.settings.db.with_name(self.settings.db.name + ".journal")

    @property
    def pids(self) -> dict[str, int | None]:
        """Of the children as they are now, by name."""
        children = [*self._receivers, *([self._storage] if self._storage else [])]
        return {child.name: child.pid for child in children}

    def __enter__(self) -> Supervisor:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _reserve_ports(self) -> None:
        wanted = {"grpc": self.settings.grpc, "http": self.settings.http, "api": self.settings.api}
        if self.settings.zipkin is not None:
            wanted["zipkin"] = self.settings.zipkin
        for name, address in wanted.items():
            held = reserve(address)
            self._reserved[name] = held
            self.endpoints[name] = str(address_of(held, address.host))

    def _spawn_all(self) -> None:
        assert self._lock is not None
        assert self._pipe is not None
        fds = (self._pipe[0], self._lock.fd)
        common = ["--supervisor-fd", str(self._pipe[0])]
        storage = ["--db", str(self.settings.db), "--api", self.endpoints["api"]]
        for manifest in self.settings.manifests:
            storage += ["--manifest", str(manifest)]
        room = [
            "--disk-reserve",
            str(self.settings.disk_reserve),
            "--journal-max",
            str(self.settings.journal_max),
        ]
        storage += ["--memory", str(self.settings.memory), *room, *self.settings.doors.arguments()]
        doors = self.settings.doors
        locked = {"grpc": doors.locks_grpc, "http": doors.locks_http, "api": doors.locks_api}
        storage += ["--secured", ",".join(name for name, is_locked in locked.items() if is_locked)]
        for option, value in (
            ("--keep-s", self.settings.keep_s),
            ("--max-bytes", self.settings.max_bytes),
            ("--lake", self.settings.lake),
            ("--data", self.settings.data),
            ("--seal-after-s", self.settings.seal_after_s),
        ):
            storage += [option, str(value)] if value is not None else []
        for table, kept_s in self.settings.keep_sealed_s:
            storage += ["--keep-sealed", f"{table}={kept_s}"]
        receive = [
            "--journal",
            str(self.journal),
            "--grpc",
            self.endpoints["grpc"],
            "--http",
            self.endpoints["http"],
            *room,
            "--segment-bytes",
            str(self._segment_bytes()),
            *self.settings.doors.arguments(),
        ]
        if "zipkin" in self.endpoints:
            receive += ["--zipkin", self.endpoints["zipkin"]]
        self._storage = Keeper("storage", _python("store.process", *storage, *common), fds, self._narrate)
        self._receivers = [
            Keeper(f"receiver-{number}", _python("receive.process", *receive, *common), fds, self._narrate)
            for number in range(1, (self.settings.receivers or default_receivers()) + 1)
        ]
        for child in (self._storage, *self._receivers):
            child.start()

    def _segment_bytes(self) -> int:
        """A segment goes only when it is full: all that are being filled must fit in a quarter of the journal."""
        filling = self.settings.receivers or default_receivers()
        return max(64 * 1024, min(SEGMENT_BYTES, self.settings.journal_max // (4 * filling)))

    def _wait_ready(self, stop: threading.Event) -> None:
        assert self._storage is not None
        limit_s = time.monotonic() + START_S
        children = (self._storage, *self._receivers)
        while waiting := [child.name for child in children if not child.ready.is_set()]:
            if refused := [child.name for child in children if child.refused.is_set()]:
                raise Refusal(f"{refused[0]} could not begin", fix="see the line above")
            if time.monotonic() > limit_s:
                raise Refusal(
                    f"{', '.join(waiting)} did not serve within {START_S:g} s", fix="see the lines above"
                )
            if stop.wait(0.02):
                raise Cancelled


def default_receivers() -> int:
    """One less than the cores that this process may use, one at least: storage has a core of its own."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1) if sys.platform == "linux" else 1


def _python(module: str, *arguments: str) -> list[str]:
    """-P: a file in the working directory must not stand in for one of our modules."""
    return [sys.executable, "-P", "-m", f"bindtrace.collector.{module}", *arguments]


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"bindtrace: {line}\n")
    sys.stderr.flush()
