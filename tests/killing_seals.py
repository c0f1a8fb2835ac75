"""What the test and the campaign of kills during sealing share: cycles of kill -9, and the judgement afterwards."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import sealing_child
from sealed import Con, rows

from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import join_lake, open_database, reader

MOST_S = 2.0
TOLD = 10


def kill_while_sealing(folder: Path, cycles: int, seed: int) -> Con:
    """The database after so many kills, opened and analysed; every acknowledged span is in it once."""
    dice = random.Random(seed)
    db, acks = folder / "t.duckdb", folder / "acks"
    script = [sys.executable, "-P", sealing_child.__file__, str(db), str(acks)]
    environment = {"PYTHONPATH": str(Path(sealing_child.__file__).parent)}
    for cycle in range(cycles):
        child = subprocess.Popen(
            [*script, str(seed + cycle)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert child.stdout is not None
        began = time.monotonic()
        for _ in range(dice.randrange(2, 9)):
            began = time.monotonic()
            assert child.stdout.readline(), child.communicate()[1]
        # as long as the last phase took, at most: into the middle of the one that has begun
        time.sleep(dice.random() * min(MOST_S, time.monotonic() - began))
        assert child.poll() is None, child.communicate()[1]
        child.kill()
        child.communicate()
        if (cycle + 1) % TOLD == 0:  # seen with `make campaign ARGS=-s`
            print(
                f"{cycle + 1} of {cycles} kills, {len((folder / 'acks').read_text().split())} loads acknowledged"
            )
    con = open_database(db)
    join_lake(con)
    analyse(con)
    return con


def acknowledged(folder: Path) -> list[int]:
    """Span ids."""
    numbers = [int(line) for line in (folder / "acks").read_text().split()]
    return [int.from_bytes(span) for number in numbers for span in sealing_child.span_ids(number)]


def judge_whole(con: Con, wanted: list[int]) -> None:
    """Nothing is lost or twice, and the hops are those of a database that never sealed."""
    found = [row[0] for row in reader(con).execute("select span_id from spans").fetchall()]
    assert set(wanted) - set(found) == set()
    assert len(found) == len(set(found))
    fresh = open_database(None)
    table = reader(con).execute("select * from spans order by received_unix_nano, span_id").to_arrow_table()
    fresh.register("received", table)
    fresh.execute("insert into spans by name select * replace (1::ubigint as load_id) from received")
    for name in ("resources", "instrumentation_scopes"):
        fresh.register("known", con.execute(f"select * from {name}").to_arrow_table())
        fresh.execute(f"insert into {name} by name select * from known")
        fresh.unregister("known")
    analyse(fresh)
    assert rows(fresh, "hops") == rows(con, "hops") != []
    fresh.close()
