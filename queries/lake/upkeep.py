"""What a lake needs now and then: old rows dropped, small files merged, files that nobody reads any more removed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import duckdb

from bindtrace.queries.lake.kept_findings import keep
from bindtrace.queries.lake.naming import Lake
from bindtrace.queries.lake.place import NAME, lake_of
from bindtrace.queries.transaction import transaction

Connection = duckdb.DuckDBPyConnection
_META: Final = f"__ducklake_metadata_{NAME}"
_LOCK: Final = 0x62696E64  # any number that others do not take: `bind`
DAY_NANO: Final = 86_400 * 10**9
READ_NANO: Final = 600 * 10**9
SMALL_BYTES: Final = 16 * 1024 * 1024
MERGED_AT_ONCE: Final = 8
FEW_FILES: Final = 8
"""Small ones; so many are no burden, and what was merged once is not merged again for each new one."""
TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "spans": ("spans",),
    "hops": ("hops", "span_conflicts", "trace_links"),
    "findings": ("findings",),
}
"""What goes with what."""
SEALED_TABLES: Final = ("sealed", "spans", "hops", "span_conflicts", "trace_links", "resources")
"""Those that every seal may bring a file of."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """`keep_nano`: by `spans`, `hops`, `findings`, how long they stay; findings are of days whose hops are gone.

    `read_nano`: how long a reader may take, at most: the files that it began with stay so long, though others have
    replaced them.
    """

    keep_nano: Mapping[str, int] = field(default_factory=dict)
    read_nano: int = READ_NANO


@contextlib.contextmanager
def alone(con: Connection) -> Iterator[bool]:
    """Whether nobody else keeps this lake up just now; if so, nobody begins before the block ends, or its process.

    A lock of PostgreSQL's, held by a transaction of its own; a catalog that is a file has one process anyway.
    """
    lake = lake_of(con)
    if lake is None or lake.kind() != "postgres":
        yield True
        return
    own = con.cursor()
    try:
        own.execute("begin")
        row = own.execute(
            f"select * from postgres_query('{_META}', 'select pg_try_advisory_xact_lock({_LOCK})')"
        ).fetchone()
        yield bool(row and row[0])
    finally:
        own.close()


def drop_old(con: Connection, now_unix_nano: int, plan: Upkeep) -> None:
    """Days that are older than their table keeps: by days, so that whole files go."""
    for kept, nano in plan.keep_nano.items():
        before = max(0, now_unix_nano - nano) // DAY_NANO
        for table in TABLES[kept]:
            condition = f"day < date '1970-01-01' + {before}::integer"
            if not con.execute(f"select 1 from {NAME}.main.{table} where {condition} limit 1").fetchone():
                continue
            with transaction(con):
                if table == "hops":
                    keep(con, condition)
                con.execute(f"delete from {NAME}.main.{table} where {condition}")
            # a file that held more than these days
            con.execute(f"call ducklake_rewrite_data_files('{NAME}', '{table}', delete_threshold => 0.0)")


def merge(con: Connection, now_unix_nano: int, plan: Upkeep) -> None:
    """Small files become larger ones: a trace is looked up in each file."""
    # seals of a few rows are in the catalog so far
    con.execute(f"call ducklake_flush_inlined_data('{NAME}')")
    for table in SEALED_TABLES:
        (small,) = con.execute(
            f"select count(*) from ducklake_list_files('{NAME}', '{table}') where data_file_size_bytes < {SMALL_BYTES}"
        ).fetchone() or (0,)
        if small >= FEW_FILES:
            con.execute(
                f"call ducklake_merge_adjacent_files('{NAME}', '{table}', max_compacted_files => {MERGED_AT_ONCE}, "
                f"max_file_size => {SMALL_BYTES})"
            )


def clean(con: Connection, now_unix_nano: int, plan: Upkeep) -> None:
    """Snapshots older than any reader, the files that only they named, and what a crash left half written."""
    moment = f"to_timestamp({(now_unix_nano - plan.read_nano) / 1e9})"
    day_ago = f"to_timestamp({(now_unix_nano - DAY_NANO) / 1e9})"
    for statement in (
        f"call ducklake_expire_snapshots('{NAME}', older_than => {moment})",
        f"call ducklake_cleanup_old_files('{NAME}', older_than => {moment})",
        f"call ducklake_delete_orphaned_files('{NAME}', older_than => {day_ago})",
    ):
        con.execute(statement)
    if (lake := lake_of(con)) and lake.kind() == "duckdb":
        # none comes by itself: the loader has seen to that, for the whole process
        con.execute(f"checkpoint {_META}")


Step = Callable[[Connection, int, Upkeep], None]
STEPS: Final[tuple[Step, ...]] = (drop_old, merge, clean)


def newest_files(con: Connection, lake: Lake) -> list[str]:
    """Files of a local lake that this process brought last; none of a store that has its own durability."""
    if "://" in lake.data:
        return []
    rows = con.execute(
        f"""
        select f.path, f.path_is_relative, t.path, t.path_is_relative, s.path, s.path_is_relative
        from {_META}.ducklake_data_file as f
        join {_META}.ducklake_table as t using (table_id)
        join {_META}.ducklake_schema as s using (schema_id)
        where f.begin_snapshot = (select id from {NAME}.last_committed_snapshot())
            and t.end_snapshot is null and s.end_snapshot is null
        """
    ).fetchall()
    found = []
    for name, relative, table, in_schema, schema, in_data in rows:
        base = f"{schema}{table}" if in_schema else table
        base = f"{lake.data}/{base}" if in_data and in_schema else base
        found.append(f"{base}{name}" if relative else name)
    return found
