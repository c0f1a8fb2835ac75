"""The storage process: the only one that opens the database. Loads the journal, analyses, answers questions.

`python -m bindtrace.collector.store.process --db PATH --api HOST:PORT [--manifest FILE …] --supervisor-fd N`
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
from pathlib import Path

import duckdb
import uvloop
from starlette.types import ASGIApp

from bindtrace.collector import http_serving
from bindtrace.collector.child import announce_ready, watch_supervisor
from bindtrace.collector.log_lines import log_to_stderr
from bindtrace.collector.ports import Address, address_of, listen
from bindtrace.collector.receive.beside import ZipkinBeside
from bindtrace.collector.receive.doors import DoorFiles, api_context, open_doors
from bindtrace.collector.receive.room import JOURNAL_BYTES, RESERVE_BYTES
from bindtrace.collector.store.bounds import MEMORY_BYTES
from bindtrace.collector.store.faults import fault_of, one_line, record
from bindtrace.collector.store.metrics import metrics_route
from bindtrace.collector.store.opening import journal_of
from bindtrace.collector.store.retention import Limits
from bindtrace.collector.store.sealing import SEAL_AFTER_S, SealingPlan
from bindtrace.collector.store.storage import Storage
from bindtrace.collector.store.traces import trace_bytes, trace_json
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.absent import note_absent
from bindtrace.queries.api.access import Guarded
from bindtrace.queries.api.app import build
from bindtrace.queries.api.jaeger import build_jaeger
from bindtrace.queries.api.prometheus import build_prometheus
from bindtrace.queries.api.tempo import build_tempo
from bindtrace.queries.lake.naming import Lake, lake_at, lake_beside
from bindtrace.queries.lake.upkeep import Upkeep

GRACE_S = 2
LOG_FORMAT = "time=%(asctime)s level=%(levelname)s process=storage %(message)s"
log = logging.getLogger("bindtrace.store")


async def serve(
    storage: Storage, api: Address, supervisor_fd: int | None, stop: threading.Event, doors: DoorFiles
) -> None:
    """Serves until a signal, the supervisor's end or a failure; then stores what is there.

    Raises `Refusal` where it cannot listen.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if supervisor_fd is not None:
        watch_supervisor(supervisor_fd, storage.abandon)
    listener = listen(api)
    opened = open_doors(doors)
    zipkin = ZipkinBeside(journal_of(storage.db), storage.room, opened.tokens)
    below: dict[str, ASGIApp] = {} if doors.tls_client_ca else {"/zipkin": zipkin}
    below |= {
        "/tempo": build_tempo(storage.asked, trace_bytes),
        "/jaeger": build_jaeger(storage.asked, trace_json),
        "/prometheus": build_prometheus(storage.asked, storage.gauges),
    }
    app = build(storage.run, storage.status, storage.wait, below)
    app.router.routes.append(metrics_route(storage.metrics))
    tokens = opened.api_tokens
    guarded = Guarded(app, tokens.name if tokens else None, here_only=not tokens and api.is_loopback)
    tls = api_context(doors) if doors.tls_cert and not api.is_loopback else None
    server, answering = await http_serving.start(guarded, [listener], GRACE_S, tls)
    storage.work.start()
    announce_ready({"pid": os.getpid(), "api": str(address_of(listener, api.host))})
    await asyncio.to_thread(stop.wait)
    # As the receivers, before storing ends: then all of it is stored, and its segment can go.
    await zipkin.close()
    storage.work.stop()
    await asyncio.to_thread(storage.work.join)
    server.should_exit = True
    await answering


def _lake(options: argparse.Namespace) -> Lake | None:
    if options.lake:
        return lake_at(options.lake, options.data)
    return lake_beside(options.db) if options.seal_after_s else None


def _sealing(options: argparse.Namespace) -> SealingPlan:
    kept = [entry.partition("=") for entry in options.keep_sealed]
    keep = Upkeep({table: int(kept_s) * 10**9 for table, _, kept_s in kept})
    return SealingPlan((options.seal_after_s or SEAL_AFTER_S) * 10**9, keep)


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 after an orderly end, 1 when storage failed, 2 when it could not begin."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", type=Path, required=True)
    parser.add_argument("--api", type=Address.parse, required=True)
    parser.add_argument("--manifest", type=Path, action="append", default=[])
    parser.add_argument("--supervisor-fd", type=int)
    parser.add_argument("--keep-s", type=int)
    parser.add_argument("--max-bytes", type=int)
    parser.add_argument("--disk-reserve", type=int, default=RESERVE_BYTES)
    parser.add_argument("--secured", default="", help="which endpoints are locked, for the status")
    parser.add_argument("--journal-max", type=int, default=JOURNAL_BYTES)
    parser.add_argument("--lake")
    parser.add_argument("--data")
    parser.add_argument("--seal-after-s", type=int)
    parser.add_argument("--keep-sealed", action="append", default=[], metavar="TABLE=SECONDS")
    parser.add_argument("--memory", type=int, default=MEMORY_BYTES)
    DoorFiles.declare(parser)
    options = parser.parse_args(arguments)
    log_to_stderr(LOG_FORMAT)
    note_absent()
    stop = threading.Event()
    limits = Limits(options.keep_s and options.keep_s * 10**9, options.max_bytes)
    try:
        storage = Storage(
            options.db,
            tuple(options.manifest),
            stop,
            limits,
            options.disk_reserve,
            options.journal_max,
            options.memory,
            _lake(options),
            _sealing(options),
        )
        storage.secured = [name for name in options.secured.split(",") if name]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(storage, options.api, options.supervisor_fd, stop, DoorFiles.of(options)))
    except Refusal as refusal:
        refusal.show()
        return refusal.exit_code
    except duckdb.Error as error:  # while opening; its supervisor tries again, ever more slowly
        record(options.db, "fatal", kind=fault_of(error).value, reason=one_line(error))
        sys.stderr.write(f"storage error: {options.db} cannot be opened: {one_line(error)}\n")
        return 1
    try:
        storage.close()
    except Refusal as refusal:
        refusal.show()
    if storage.failure:
        sys.stderr.write(f"storage error: {options.db}: {storage.failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
