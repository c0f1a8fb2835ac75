"""Three collectors that share a lake, load routed to them by trace id, and one of them killed twice meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
from bench.recipe import requests
from killing import everything, judge
from routing import Router, deliver
from serving import Collector, collecting
from support import wait_for

from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import open_lake
from bindtrace.queries.query import Query
from bindtrace.queries.source import FileSource

BINDTRACE = str(Path(sys.executable).parent / "bindtrace")
MANIFEST = "\n".join(
    (
        *(f"[services.svc{place}]\n" for place in range(20)),
        *(
            f'[[grants]]\ncaller = "svc{place}"\ncallee = "svc{other}"\n'
            for place in range(20)
            for other in range(0, 20, 2)
        ),
    )
)
Row = dict[str, Any]


class Sharing:
    """`places`: a folder for each collector; a collector that was killed is begun again in its own."""

    def __init__(self, folder: Path, stack: ExitStack, catalog: str, data: str, count: int = 3) -> None:
        self.manifest = folder / "bindtrace.toml"
        self.manifest.write_text(MANIFEST)
        self.catalog = catalog
        self.options = ("--lake", catalog, "--data", data, "--seal-after", "1s")
        self._stack = stack
        self._places = [folder / f"collector-{place}" for place in range(count)]
        for place in self._places:
            place.mkdir()
        self.collectors = [self._begin(place, self.options) for place in self._places]

    def address(self, place: int) -> str:
        return self.collectors[place].endpoints["http"]

    def kill(self, place: int) -> None:
        everything(self.collectors[place])
        wait_for(
            lambda: not self.collectors[place].left_behind(), seconds=30, what="every process to be gone"
        )

    def begin_again(self, place: int) -> None:
        self.collectors[place] = self._begin(self._places[place], self.options)

    def _begin(self, place: Path, options: Sequence[str]) -> Collector:
        manifest = ("--manifest", str(self.manifest))
        return self._stack.enter_context(collecting(place / "t.duckdb", *options, *manifest, receivers=1))


def in_lake(catalog: str, report: str) -> list[Row]:
    """What a person gets of the lake alone."""
    done = subprocess.run(
        [BINDTRACE, "--lake", catalog, report, "-f", "json", "--limit", "0"],
        capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows: list[Row] = json.loads(done.stdout)
    return rows


def spans_in(lake: duckdb.DuckDBPyConnection) -> Counter[bytes]:
    """How often an opened lake has each span."""
    rows = lake.execute("select span_id, count(*) from spans group by span_id").fetchall()
    return Counter({int(span_id).to_bytes(8, "big"): count for span_id, count in rows})


def killed_twice(
    folder: Path, catalog: str, data: str, *, seconds: float = 0.0, bodies: int = 24, settle_s: float = 60.0
) -> Mapping[str, tuple[list[Row], list[Row]]]:
    """By report: what the lake answers in the end, and what one collector does that was fed the same bytes.

    Fails where something acknowledged is missing or twice, or the lake cannot be read while one collector is dead.
    """
    with ExitStack() as stack:
        sharing = Sharing(folder, stack, catalog, data)
        lake = stack.enter_context(closing(open_lake(catalog)))
        targets = [lambda place=place: sharing.address(place) for place in range(3)]
        rest = iter(_paced(bodies, seconds))
        first = Router(targets, islice(rest, bodies // 3))
        first.finish()
        wait_for(lambda: spans_in(lake), seconds=settle_s, what="something to be sealed")
        router = Router(targets, rest)
        for _ in range(2):
            time.sleep(seconds / 3)
            sharing.kill(1)
            meanwhile = spans_in(lake)
            assert meanwhile, "what was sealed is there for all, whoever is dead"
            assert max(meanwhile.values()) == 1
            sharing.begin_again(1)
        router.finish()
        acknowledged = first.spans + router.spans
        wait_for(
            lambda: len(spans_in(lake)) >= len(set(acknowledged)),
            seconds=settle_s,
            what=lambda: f"{len(set(acknowledged))} spans to be sealed; {len(spans_in(lake))} are",
        )
        for collector in sharing.collectors:
            assert collector.stop() == 0, collector.errors.read_text()
        judge(acknowledged, spans_in(lake))

    alone = _alone(folder / "alone", sharing.manifest, first.sent + router.sent)
    with closing(open_lake(catalog)) as lake:
        return {
            report: (run_report(lake, report, Query(settled=True)), rows) for report, rows in alone.items()
        }


def _alone(folder: Path, manifest: Path, bodies: Sequence[bytes]) -> dict[str, list[Row]]:
    """What one collector without a lake answers after the same bytes."""
    folder.mkdir()
    db = folder / "t.duckdb"
    with collecting(db, "--manifest", str(manifest), receivers=1) as collector:
        for body in bodies:
            assert deliver(collector.endpoints["http"], body)
        assert collector.stop() == 0
    source = FileSource(db)
    try:
        return {report: source.rows(report, Query()) for report in ("chains", "findings", "edges", "hops")}
    finally:
        source.close()


def _paced(bodies: int, seconds: float) -> Iterator[bytes]:
    """So many requests at least, and as many more as go into the seconds, ten a second."""
    began = time.monotonic()
    for number, (body, _) in enumerate(requests(seed=7, spans_per_request=100)):
        if number >= bodies and time.monotonic() - began > seconds:
            return
        yield body
        if seconds:
            time.sleep(0.1)
