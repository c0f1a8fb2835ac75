"""What grants with methods or paths and the policies of meshes say of each distinct request; judges no call itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import duckdb

from bindtrace.propagation.policies import Policies, Ruling
from bindtrace.propagation.requests import fits
from bindtrace.propagation.workloads import Call
from bindtrace.queries.policy import insert_rows
from bindtrace.queries.stored_policies import policies_from

Connection = duckdb.DuckDBPyConnection


class Grant(NamedTuple):
    """A grant for some requests of a pair."""

    methods: list[str]
    paths: list[str]
    binding: str | None
    file: str
    line: int


RULINGS: Final[Mapping[tuple[str, str], str]] = {
    ("allowed", "declared"): "ruled_in",
    ("denied", "undeclared"): "ruled_out",
    ("denied", "forbidden"): "forbidden",
    ("unknown", "not_shown"): "not_shown",
}
"""What a ruling makes of the fact `grant` of a decision; one that is silent makes nothing of it."""
FITS: Final = {True: "yes", None: "not_shown", False: "route"}

_COLUMNS: Final = (
    "pair bigint, asked_method varchar, asked_path varchar, asked_host varchar, asked_address varchar, "
    "asked_identity varchar, protection varchar, ruling varchar, fit varchar, binding varchar, file varchar, "
    "line uinteger"
)
_REQUEST: Final = 7
"""How many columns of a row of `requests_seen` tell the request; the rest say whose it is."""


def rule_requests(con: Connection) -> None:
    """Fills `requests_ruled` from `requests_seen`."""
    seen = con.execute("select * from requests_seen").fetchall()
    grants = _grants(con) if seen else {}
    policies = _policies(con) if seen else {}
    outside = _outside(con) if policies else frozenset()
    rows = []
    for row in seen:
        caller, callee, *policy = row[_REQUEST:]
        request = row[1:_REQUEST]
        ruling, by = _ruled(policies.get(tuple(policy)), _call(caller, callee, request, callee in outside))
        fit, grant = _fitting(grants.get(row[0], ()), request)
        binding, place = (grant.binding, (grant.file, grant.line)) if grant else (None, (None, None))
        rows.append((*row[:_REQUEST], ruling, fit, binding, *(by or place)))
    replace_temp(con, "requests_ruled", _COLUMNS, rows)


def replace_temp(con: Connection, name: str, columns: str, rows: Iterable[Sequence[object]]) -> None:
    """A temporary table of these rows, in place of the former."""
    con.execute(f"create or replace temp table {name} ({columns})")
    insert_rows(con, name, rows)


def _outside(con: Connection) -> frozenset[str]:
    """Services of platforms without namespaces, of which no policy of a mesh speaks."""
    rows = con.execute(
        "select distinct service from service_revisions where platform <> 'bindtrace'"
    ).fetchall()
    return frozenset(service for (service,) in rows)


def _call(caller: str | None, callee: str, request: Sequence[Any], outside: bool) -> Call:
    method, path, host, address, identity, protection = request
    return Call(
        callee,
        caller,
        caller_id=identity,
        protection=protection,
        method=method,
        path=path,
        host=host,
        called_port=host.rpartition(":")[2] if host and ":" in host else None,
        source_address=address,
        outside=outside,
    )


def _ruled(policies: Policies | None, call: Call) -> tuple[str | None, tuple[str, int] | None]:
    if policies is None:
        return None, None
    ruling: Ruling = policies.judge(call)
    said = RULINGS.get((ruling.verdict, ruling.reason))
    return said, (ruling.policy.file, ruling.line) if said and ruling.policy else None


def _fitting(grants: Sequence[Grant], request: Sequence[Any]) -> tuple[str | None, Grant | None]:
    """The grant that says most for the request: one that is for it, else one that may be."""
    answers = [(fits(request[0], request[1], grant.methods, grant.paths), grant) for grant in grants]
    for wanted in FITS:
        for answer, grant in answers:
            if answer is wanted:
                return FITS[answer], grant
    return None, None


def _grants(con: Connection) -> dict[int, list[Grant]]:
    found: dict[int, list[Grant]] = defaultdict(list)
    for pair, *grant in con.execute(
        "select pair, methods, paths, binding, file, line from spoken_of where not for_all order by pair, file, line"
    ).fetchall():
        found[pair].append(Grant(*grant))
    return found


def _policies(con: Connection) -> dict[tuple[int, str], Policies]:
    rows: dict[tuple[int, str], list[tuple[str, str]]] = defaultdict(list)
    for period, deployment, kind, content in con.execute(
        """
        select j.period, j.deployment, p.kind, p.content
        from policy_revisions as p join judged_by as j using (revision)
        order by all
        """
    ).fetchall():
        rows[period, deployment].append((kind, content))
    return {key: policies_from(contents) for key, contents in rows.items()}
