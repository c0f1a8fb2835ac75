"""What `/metrics` says, in Prometheus' text format: the journal, storing, calls and findings. Counts nothing itself.

Labels are bounded: beyond `MOST_SERIES` sets of them, the rest is summed as `(other)`.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
from anyio import CapacityLimiter, to_thread
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bindtrace.collector.store.loader import Counts
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.vocabulary import EXTERNAL
from bindtrace.queries.catalog import run_report
from bindtrace.queries.query import Query

MOST_SERIES: Final = 1000
HOUR_NANO: Final = 3600 * 10**9
OTHER: Final = "(other)"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS_MS: Final = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)
Rows = Sequence[dict[str, Any]]
_CALL: Final = ("caller", "callee", "environment", "road", "verdict")


@dataclass(frozen=True, slots=True)
class Facts:
    """What storage knows of itself."""

    counts: Counts
    journal_bytes: int
    wal_bytes: int
    ready: bool
    faults: int
    set_aside: int
    retired: int = 0
    lake_ready: bool | None = None
    """None where there is none."""


def metrics_route(metrics: Callable[[], bytes]) -> Route:
    """`/metrics`, answered in a thread, one at a time: each asks the database."""
    one = CapacityLimiter(1)

    async def get_metrics(_: Request) -> Response:
        return Response(await to_thread.run_sync(metrics, limiter=one), media_type=CONTENT_TYPE)

    return Route("/metrics", get_metrics)


def exposition(
    con: duckdb.DuckDBPyConnection | None, facts: Facts, found: Rows = (), difference: int = 0
) -> bytes:
    """The page; `found` are the open findings. Without a connection only what storage knows of itself.

    Raises `duckdb.Error`.
    """
    families = [*_storage(facts, difference)]
    if con is not None:
        families += [_receivers(con), *_calls(con), _open(found), _credentials(con)]
    registry = CollectorRegistry()
    registry.register(_Fixed(families))
    return bytes(generate_latest(registry))


def gauges(
    con: duckdb.DuckDBPyConnection, facts: Facts, found: Rows, difference: int
) -> list[tuple[str, dict[str, str], float]]:
    """What of the page is true now and not counted: name, labels, value. Raises `duckdb.Error`."""
    families = [*_storage(facts, difference), _open(found), _credentials(con)]
    page = [
        (sample.name, dict(sample.labels), float(sample.value))
        for family in families
        if family.type == "gauge"
        for sample in family.samples
    ]
    return page + [_one(row) for row in found]


class _Fixed(Collector):
    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def _storage(facts: Facts, difference: int) -> Iterator[Metric]:
    counts = facts.counts
    gauges = {
        "bindtrace_journal_bytes": ("Journal that is not stored yet.", facts.journal_bytes),
        "bindtrace_wal_bytes": ("Write-ahead log since the last checkpoint.", facts.wal_bytes),
        "bindtrace_storage_ready": ("1 while storage loads and answers.", int(facts.ready)),
        "bindtrace_accounting_difference": (
            "Spans taken from the journal that are neither stored, a duplicate, nor set aside: must be 0.",
            difference,
        ),
        "bindtrace_storage_faults": ("Fatal errors of the database on record.", facts.faults),
        "bindtrace_databases_set_aside": ("Damaged databases on record.", facts.set_aside),
    }
    if facts.lake_ready is not None:
        gauges["bindtrace_lake_ready"] = ("1 while the lake takes what is sealed.", int(facts.lake_ready))
    for name, (text, value) in gauges.items():
        yield GaugeMetricFamily(name, text, value)
    stored = CounterMetricFamily(
        "bindtrace_store_spans", "Spans by what became of them since the start.", labels=["result"]
    )
    for result, value in (
        ("taken", counts.taken),
        ("stored", counts.spans),
        ("deduplicated", counts.deduplicated),
        ("quarantined", counts.quarantined),
        ("retired", facts.retired),
    ):
        stored.add_metric([result], value)
    yield stored
    yield CounterMetricFamily(
        "bindtrace_checkpoints", "Checkpoints that were finished since the start.", counts.checkpoints
    )


def _receivers(con: duckdb.DuckDBPyConnection) -> Metric:
    family = CounterMetricFamily(
        "bindtrace_receiver_spans", "Spans by the receivers' answer and reason.", labels=["result", "reason"]
    )
    rows = con.execute(
        "select what, reason, sum(spans) from senders group by all order by sum(spans) desc"
    ).fetchall()
    for labels, (value,) in _bounded([(row[:2], row[2:]) for row in rows], 100):
        family.add_metric(labels, value)
    return family


def _calls(con: duckdb.DuckDBPyConnection) -> Iterator[Metric]:
    buckets = ", ".join(f"count(*) filter (duration_nano <= {bound * 10**6})" for bound in BOUNDS_MS)
    rows = con.execute(
        f"""
        select
            coalesce(caller, '(external)'), coalesce(callee, ''), coalesce(callee_env, caller_env, ''), road, verdict,
            grade, count(*), sum(duration_nano) / 1e9, {buckets}
        from hops
        where kind in ('call', 'message')
        group by all
        order by count(*) desc
        """
    ).fetchall()
    calls = CounterMetricFamily("bindtrace_calls", "Calls that are stored.", labels=[*_CALL, "grade"])
    for labels, (value,) in _bounded([(row[:6], row[6:7]) for row in rows], MOST_SERIES):
        calls.add_metric(labels, value)
    yield calls
    durations = HistogramMetricFamily(
        "bindtrace_call_duration_seconds", "How long calls took, as the caller saw it.", labels=_CALL
    )
    for labels, (count, total, *below) in _bounded([(row[:5], row[6:]) for row in rows], MOST_SERIES):
        found = [(str(bound / 1000), value) for bound, value in zip(BOUNDS_MS, below, strict=True)]
        durations.add_metric(labels, [*found, ("+Inf", count)], float(total))
    yield durations


def _one(row: dict[str, Any]) -> tuple[str, dict[str, str], float]:
    """A finding whole, for a table; on `/metrics` its labels would be without bound."""
    words = {
        name: row[name] or "" for name in ("id", "rule", "severity", "grade", "confidence", "message", "fix")
    }
    own = {
        "caller": row["caller"] or EXTERNAL,
        "callee": row["callee"] or "",
        "environment": row["callee_env"] or row["caller_env"] or "",
        "trace_id": (row["example"] or {}).get("trace_id") or "",
    }
    return "bindtrace_finding", words | own, float(row["count"])


def _open(found: Rows) -> Metric:
    family = GaugeMetricFamily(
        "bindtrace_findings", "Findings that are open.", labels=["rule", "severity", "environment"]
    )
    tally: Tally[tuple[str, str, str]] = Tally()
    for row in found:
        tally[row["rule"], row["severity"], row["callee_env"] or row["caller_env"] or ""] += 1
    for labels, (value,) in _bounded([(key, (count,)) for key, count in tally.most_common()], MOST_SERIES):
        family.add_metric(labels, value)
    return family


def _credentials(con: duckdb.DuckDBPyConnection) -> Metric:
    """Of the last hour only: a service that makes no calls shows no credential, and its age would be of long ago."""
    family = GaugeMetricFamily(
        "bindtrace_credential_age_seconds", "Age of the credential last shown.", labels=["service"]
    )
    query = Query(since_unix_nano=max(0, now_unix_nano() - HOUR_NANO))
    oldest: dict[str, float] = {}
    for row in run_report(con, "credentials", query):
        if row["age_s"] is not None:
            oldest[row["service"] or ""] = max(row["age_s"], oldest.get(row["service"] or "", 0.0))
    for labels, (value,) in _bounded([((name,), (age,)) for name, age in oldest.items()], MOST_SERIES):
        family.add_metric(labels, value)
    return family


def _bounded(
    rows: Sequence[tuple[Sequence[Any], Sequence[Any]]], most: int
) -> list[tuple[list[str], list[Any]]]:
    """Rows of the same labels summed; beyond `most`, the rest is one series."""
    kept: dict[tuple[str, ...], list[Any]] = {}
    for labels, values in rows:
        key = tuple(str(label)[:200] for label in labels)
        if key not in kept and len(kept) >= most:
            key = (OTHER,) * len(key)
        sums = kept.setdefault(key, [0] * len(values))
        kept[key] = [one + other for one, other in zip(sums, values, strict=True)]
    return [(list(key), values) for key, values in kept.items()]
