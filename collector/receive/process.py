"""A receiver process: both OTLP servers over one journal directory of its own. Never opens the database.

`python -m bindtrace.collector.receive.process --journal DIR --grpc HOST:PORT --http HOST:PORT --supervisor-fd N`
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
import uuid
from pathlib import Path
from typing import Any

import uvloop

from bindtrace.collector import http_serving
from bindtrace.collector.child import announce_ready, watch_supervisor
from bindtrace.collector.journal.loaded import Waiting
from bindtrace.collector.journal.segment import SEGMENT_BYTES, JournalWriter
from bindtrace.collector.log_lines import log_to_stderr
from bindtrace.collector.ports import Address, address_of, listen
from bindtrace.collector.receive import grpc_server, http_server
from bindtrace.collector.receive.accounting import keep_writing
from bindtrace.collector.receive.budget import Budget
from bindtrace.collector.receive.connection import SenderProtocol
from bindtrace.collector.receive.doors import DoorFiles, Doors, open_doors
from bindtrace.collector.receive.group import GroupCommit
from bindtrace.collector.receive.intake import Intake
from bindtrace.collector.receive.pace import AHEAD_BYTES, Pace
from bindtrace.collector.receive.room import JOURNAL_BYTES, RESERVE_BYTES, Room
from bindtrace.collector.redact.salt import salt_path
from bindtrace.collector.redact.walk import use_salt
from bindtrace.propagation.errors import Refusal

GRACE_S = 8
HANDSHAKE_S = 5
log = logging.getLogger("bindtrace.receive")


class _Loop(uvloop.Loop):
    """uvicorn sets no limit to a TLS handshake; asyncio's own is a minute."""

    def create_server(self, *arguments: Any, **options: Any) -> Any:
        if options.get("ssl"):
            options.setdefault("ssl_handshake_timeout", HANDSHAKE_S)
        return super().create_server(*arguments, **options)


async def serve(
    journal: Path,
    grpc_address: Address,
    http_address: Address,
    supervisor_fd: int,
    room: Room,
    segment_bytes: int,
    journal_max: int,
    doors: Doors,
    zipkin_address: Address | None = None,
) -> None:
    """Serves until a signal or the supervisor's end; then answers what is in flight, within `GRACE_S`.

    Raises `Refusal` or `OSError` when it cannot listen or write.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watch_supervisor(supervisor_fd, lambda: loop.call_soon_threadsafe(stop.set))
    use_salt(salt_path(journal.with_suffix("")))
    _raise_file_limit()
    writer = JournalWriter(journal / uuid.uuid4().hex, segment_bytes=segment_bytes)
    group = GroupCommit(writer)
    pace = Pace(Waiting(journal), min(AHEAD_BYTES, journal_max // 5))
    intake = Intake(group, room, Budget(), doors, pace)
    accounting = loop.create_task(keep_writing(intake.accounting, group))
    http, http_task, http_port = await _start_http(intake, http_address, zipkin_address)
    grpc_running, grpc_port = await grpc_server.start(intake, grpc_address)
    announce_ready(
        {
            "pid": os.getpid(),
            "grpc": str(Address(grpc_address.host, grpc_port)),
            "http": str(Address(http_address.host, http_port)),
        }
    )
    await stop.wait()
    pace.release()
    http.should_exit = True
    await asyncio.gather(http_task, grpc_running.stop(GRACE_S))
    accounting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await accounting
    await group.close()
    writer.close()


async def _start_http(
    intake: Intake, address: Address, zipkin: Address | None
) -> tuple[http_serving.Server, asyncio.Task[None], int]:
    """`zipkin` is a second address of the same application."""
    listener = listen(address)
    server, task = await http_serving.start(
        http_server.build(intake),
        [listener, listen(zipkin)] if zipkin else [listener],
        GRACE_S,
        intake.doors.tls.context if intake.doors.tls else None,
        http=SenderProtocol,
    )
    return server, task, address_of(listener, address.host).port


def _raise_file_limit() -> None:
    """Connections are files; many systems allow 1,024 at first and more when asked."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = SenderProtocol.caps.total * 2
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        SenderProtocol.caps.total = min(SenderProtocol.caps.total, limit // 2)


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 after an orderly end, 2 when this process could not begin."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--grpc", type=Address.parse, required=True)
    parser.add_argument("--http", type=Address.parse, required=True)
    parser.add_argument("--zipkin", type=Address.parse)
    parser.add_argument("--supervisor-fd", type=int, required=True)
    parser.add_argument("--journal-max", type=int, default=JOURNAL_BYTES)
    parser.add_argument("--disk-reserve", type=int, default=RESERVE_BYTES)
    parser.add_argument("--segment-bytes", type=int, default=SEGMENT_BYTES)
    DoorFiles.declare(parser)
    options = parser.parse_args(arguments)
    log_to_stderr("receiver %(levelname)s %(message)s")
    try:
        doors = open_doors(DoorFiles.of(options))
        with asyncio.Runner(loop_factory=_Loop) as runner:
            room = Room(
                options.journal, journal_bytes=options.journal_max, reserve_bytes=options.disk_reserve
            )
            runner.run(
                serve(
                    options.journal,
                    options.grpc,
                    options.http,
                    options.supervisor_fd,
                    room,
                    options.segment_bytes,
                    options.journal_max,
                    doors,
                    options.zipkin,
                )
            )
    except Refusal as refusal:
        refusal.show()
        return refusal.exit_code
    except OSError as error:
        Refusal(str(error), fix="see that the port is free and the journal's folder is writable").show()
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
