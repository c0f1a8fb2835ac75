"""Runs a collector in its own processes against sender processes, and measures both from outside. Judges nothing."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
from ingest_sender import Job
from serving import Collector, collecting

HERE = Path(__file__).parent
DRAIN_S = float(os.environ.get("BENCH_DRAIN_S", "60"))


@dataclass(slots=True)
class Result:
    """Of one measured time; `cpu_s` and `rss_bytes` are of all the collector's processes together."""

    seconds: float
    acked: int = 0
    refused: int = 0
    ms: list[float] = field(default_factory=list)
    cpu_s: dict[str, float] = field(default_factory=dict)
    rss_bytes: int = 0
    journal_bytes: list[int] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)

    def at(self, share: float) -> float:
        """Latency in ms below which that share of the acknowledgements came."""
        return self.ms[min(len(self.ms) - 1, int(len(self.ms) * share))] if self.ms else float("nan")


@contextlib.contextmanager
def collector(*options: str, manifest: str = "") -> Iterator[Collector]:
    """One that serves, with a database of its own that goes with it. `manifest`: the text of a `bindtrace.toml`."""
    with tempfile.TemporaryDirectory(prefix="bindtrace-bench-") as folder:
        if manifest:
            (declared := Path(folder) / "bindtrace.toml").write_text(manifest)
            options += ("--manifest", str(declared))
        yield from _serving(Path(folder), options)


def _serving(folder: Path, options: Sequence[str]) -> Iterator[Collector]:
    with collecting(folder / "bench.duckdb", *options, receivers=1) as serving:
        yield serving


def run(serving: Collector, jobs: Sequence[Job]) -> Result:
    """Sends all jobs at once, bounded in time, and watches the collector meanwhile."""
    senders = [_sender(job) for job in jobs]
    for sender in senders:
        assert sender.stdout is not None
        assert sender.stdout.readline().strip() == "ready"
    watch = _Watch(serving)
    for sender in senders:
        assert sender.stdin is not None
        sender.stdin.write("go\n")
        sender.stdin.flush()
    time.sleep(jobs[0].warm_up_s)
    watch.start()
    time.sleep(jobs[0].seconds)
    result = watch.stop()
    for sender in senders:
        out, _ = sender.communicate(timeout=60)
        said = json.loads(out.splitlines()[-1])
        result.acked += said["acked"]
        result.refused += said["refused"]
        result.ms += said["ms"]
    result.ms.sort()
    return result


def drained(serving: Collector) -> tuple[float, float | None]:
    """Seconds until the rows of everything that was acknowledged can be queried, and until its hops can.

    None where the hops are not all there within `DRAIN_S`.
    """
    began = time.monotonic()
    rows = None
    while time.monotonic() < began + DRAIN_S:
        status = status_of(serving)
        if rows is None and not status["journal_waiting_bytes"]:
            rows = time.monotonic() - began
        if rows is not None and status["load_id"] == status["analysed_load_id"]:
            return rows, time.monotonic() - began
        time.sleep(0.1)
    return DRAIN_S if rows is None else rows, None


def status_of(serving: Collector) -> dict[str, Any]:
    """`/api/status`."""
    with urllib.request.urlopen(f"http://{serving.endpoints['api']}/api/status", timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def _sender(job: Job) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(HERE / "ingest_sender.py"), json.dumps(asdict(job))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


class _Watch:
    """CPU, memory and journal of a collector, looked at five times a second."""

    def __init__(self, serving: Collector) -> None:
        self._serving = serving
        self._processes = {
            "receive": serving.children()["receive"],
            "store": serving.children()["store"],
            "supervise": [psutil.Process(serving.process.pid)],
        }
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._result = Result(0)

    def start(self) -> None:
        self._began = time.monotonic()
        self._before = self._cpu()
        self._thread.start()

    def stop(self) -> Result:
        self._result.seconds = time.monotonic() - self._began
        self._result.cpu_s = {name: spent - self._before[name] for name, spent in self._cpu().items()}
        self._done.set()
        self._thread.join()
        return self._result

    def _cpu(self) -> dict[str, float]:
        return {
            name: sum(sum(process.cpu_times()[:2]) for process in processes)
            for name, processes in self._processes.items()
        }

    def _look(self) -> None:
        journal = self._serving.db.with_name(f"{self._serving.db.name}.journal")
        while not self._done.wait(0.2):
            rss = sum(process.memory_info().rss for each in self._processes.values() for process in each)
            self._result.rss_bytes = max(self._result.rss_bytes, rss)
            sizes = 0
            for path in journal.rglob("*"):
                with contextlib.suppress(OSError):
                    sizes += path.stat().st_size
            self._result.journal_bytes.append(sizes)
