"""What child processes are told about giving freed memory back to the system. Data, and one function over it.

Three allocators live in one process: the C library's (Python, protobuf, ptars), DuckDB's jemalloc and Arrow's mimalloc.
Each keeps what is freed for itself, and what all of them keep was 400 MiB of the storage process under overload.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SETTINGS: Final[Mapping[str, str]] = {
    # One arena a thread, of up to eight threads a core, is the C library's default; none of them shrinks.
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_TRIM_THRESHOLD_": str(8 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),  # a fixed one: it grows to 32 MiB with what is freed
    # A thread keeps seven freed pieces of each small size, and planning one statement takes hundreds: of a run of
    # the analysis over 512 spans this was a tenth (CPU 289 ms, with 500 pieces 251; over 20,480 spans 616 and 563).
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=500",
    # Ten seconds and an arena for every four cores are DuckDB's own: its documentation, Internals, jemalloc. Within a
    # second each statement takes up what the last one left; within 0.1 s a run over 4,096 spans had a sixth more CPU.
    "DUCKDB_JE_MALLOC_CONF": "dirty_decay_ms:1000,muzzy_decay_ms:0,narenas:2",
    "MIMALLOC_PURGE_DELAY": "0",
}
"""Variables of glibc (mallopt(3)), jemalloc and mimalloc; other systems and allocators pass over them."""


def with_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: what a person has set counts."""
    return {**SETTINGS, **environment}
