"""`python sealing_child.py DB ACKS SEED`: stores, analyses, seals and keeps a lake up until it is killed.

Says on standard output what it begins. Each line of ACKS is the number of a request that is committed. Traces
are of several requests; some come late.
"""

from __future__ import annotations

import random
import sys
import threading
from pathlib import Path

from otlp_requests import as_request
from receiving import export

from bindtrace.collector.store.gate import Gate
from bindtrace.collector.store.sealing import Sealer, SealingPlan
from bindtrace.collector.store.writer import Writer
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import cursor, join_lake, open_database
from bindtrace.queries.lake.naming import lake_beside
from bindtrace.queries.lake.upkeep import Upkeep

SPANS = 20
LATE = 40
"""Every seventh request is of a trace that began so many requests ago."""


def span_ids(number: int) -> list[bytes]:
    """Of the request of this number."""
    return [(number * SPANS + place + 1).to_bytes(8, "big") for place in range(SPANS)]


def trace_of(number: int) -> bytes:
    return random.Random(number - LATE if number % 7 == 0 and number > LATE else number).randbytes(16)


def main(db: Path, acks: Path, seed: int) -> None:
    dice = random.Random(seed)
    con = open_database(db)
    join_lake(con, lake_beside(db))
    con.execute("set threads = 1")
    writer, analysis = Writer(cursor(con)), cursor(con)
    sealer = Sealer(cursor(con), SealingPlan(1, Upkeep({}, 1)), Gate())
    number = sum(1 for _ in acks.open()) if acks.exists() else 0
    with acks.open("a") as told:
        print("ready", flush=True)
        while True:
            for _ in range(dice.randrange(1, 30)):
                number += 1
                message = export(*span_ids(number), service=f"s{number % 5}", trace_id=trace_of(number))
                for span in message.resource_spans[0].scope_spans[0].spans:
                    span.kind = span.SPAN_KIND_SERVER
                writer.write([as_request(message, received=now_unix_nano())])
                told.write(f"{number}\n")
                told.flush()
            analyse(analysis)
            print("sealing", flush=True)
            sealer.once(threading.Event())
            if dice.random() < 0.5:
                print("keeping up", flush=True)
                sealer.keep_up(threading.Event())
            if dice.random() < 0.2:
                con.execute("checkpoint")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
