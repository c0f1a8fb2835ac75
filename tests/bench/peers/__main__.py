"""`python tests/bench/peers`: ours and others, fed the same bytes in the same run by the same senders, as a table.

Rounds are interleaved and the median counts, so that what else the machine does falls on all alike. A peer that is not
there is named and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

BENCH = Path(__file__).parents[1]
sys.path[:0] = [str(Path(__file__).parent), str(BENCH), str(BENCH.parent)]

from ingest_sender import Job  # noqa: E402  the paths above come first
from running import PEERS, Peer, started  # noqa: E402

SPANS = 512


@dataclass(frozen=True, slots=True)
class Round:
    """Of one peer: acknowledged spans/s, CPU of all its processes, their peak memory, and what became of the spans."""

    rate: float
    cpu_us: float
    rss_bytes: int
    p99_ms: float
    refused: int
    stored: float


def measured(peer: Peer, seconds: float, clients: int, seed: int) -> Round:
    """One round: senders are busy for `seconds` after a second of warming up."""
    with started(peer) as running:
        jobs = [Job(peer.protocol, running.address, clients, SPANS, seconds, seed)]
        senders = [_sender(job) for job in jobs]
        for sender in senders:
            assert sender.stdout is not None
            assert sender.stdout.readline().strip() == "ready"
        rss = [0]
        done = threading.Event()
        looking = threading.Thread(target=_look, args=(running.processes, rss, done))
        looking.start()
        for sender in senders:
            assert sender.stdin is not None
            sender.stdin.write("go\n")
            sender.stdin.flush()
        time.sleep(jobs[0].warm_up_s)
        before = _cpu(running.processes)
        time.sleep(seconds)
        spent = _cpu(running.processes) - before
        found = [json.loads(sender.communicate(timeout=120)[0].splitlines()[-1]) for sender in senders]
        done.set()
        looking.join()
        acked = sum(each["acked"] for each in found)
        times = sorted(ms for each in found for ms in each["ms"])
        stored = running.stored()
    if not acked:
        raise RuntimeError("it acknowledged nothing")
    return Round(
        acked / seconds,
        spent / acked * 1e6,
        rss[0],
        times[int(len(times) * 0.99)],
        sum(each["refused"] for each in found),
        stored / acked,
    )


def _sender(job: Job) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(BENCH / "ingest_sender.py"), json.dumps(asdict(job))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _cpu(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _look(processes: list[psutil.Process], rss: list[int], done: threading.Event) -> None:
    while not done.wait(0.2):
        rss[0] = max(rss[0], sum(process.memory_info().rss for process in processes))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    there = [peer for peer in PEERS if peer.program is None or peer.program.exists()]
    for peer in PEERS:
        if peer not in there:
            print(
                f"left out: {peer.name}: not at {peer.program}; `make peers` gets it, or says why it cannot"
            )
    rounds: dict[Peer, list[Round]] = {peer: [] for peer in there}
    for number in range(options.rounds):
        for peer in there:
            found = measured(peer, options.seconds, options.clients, number + 1)
            rounds[peer].append(found)
            print(
                f"round {number + 1}: {peer.name} ({peer.protocol}): {found.rate:,.0f} spans/s",
                file=sys.stderr,
                flush=True,
            )
    memory = psutil.virtual_memory().total / 2**30
    print(
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}, load {os.getloadavg()[0]:.1f}; "
        f"protobuf, {SPANS} spans a request, {options.clients} clients, {options.rounds} rounds of "
        f"{options.seconds:g} s\n"
    )
    _print_table(there, rounds)
    return 0


def _print_table(there: list[Peer], rounds: dict[Peer, list[Round]]) -> None:
    ours = {
        peer.protocol: statistics.median(found.rate for found in rounds[peer])
        for peer in there
        if peer.program is None
    }
    print(
        "| | by | acked spans/s | of ours | CPU us/span | p99 ack ms | peak RSS MiB | stored of acked | acked means |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for peer in there:
        found = rounds[peer]
        rate = statistics.median(each.rate for each in found)
        cpu = statistics.median(each.cpu_us for each in found)
        p99 = statistics.median(each.p99_ms for each in found)
        rss = max(each.rss_bytes for each in found) / 2**20
        share = rate / ours[peer.protocol]
        # What was sent while warming up is stored too: 1 means at least all.
        stored = min(1.0, min(each.stored for each in found))
        print(
            f"| {peer.name} | {peer.protocol} | {rate:,.0f} | {share:.2f} | {cpu:.1f} | {p99:.0f} | {rss:.0f} | "
            f"{stored:.2f} | {peer.acknowledged} |"
        )


if __name__ == "__main__":
    sys.exit(main())
