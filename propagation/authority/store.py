"""The sqlite3 file of an authority: the one place that opens it. A change is one transaction, on disk at its end."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bindtrace.propagation.authority.log import GENESIS, chained
from bindtrace.propagation.authority.rotation import Key, Kind
from bindtrace.propagation.identity.policy import Binding, DeniedNow, Policy, Route
from bindtrace.propagation.identity.spiffe import Service, Workload, parse_service


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key's times, its thumbprint, and its certificate where it is an authority of certificates."""

    key: Key
    kid: str
    certificate: bytes | None


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment of a service, where it answers, and the DNS names that its certificate may have."""

    workload: Workload
    state: str
    addresses: tuple[str, ...]
    dns_names: tuple[str, ...]
    since_s: int = 0
    """Since when it is in this state."""


class Store:
    """Opened per process; safe beside another process that writes, as sqlite3 locks. Times in seconds."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("pragma synchronous = full")
        self._database.executescript((resources.files(__package__) / "schema.sql").read_text("utf-8"))

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """All or nothing; another writer waits."""
        self._database.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._database.execute("rollback")
            raise
        self._database.execute("commit")

    # --- settings ------------------------------------------------------------------------------------

    def get(self, name: str, default: str = "") -> str:
        row = self._database.execute("select value from meta where name = ?", (name,)).fetchone()
        return default if row is None else str(row[0])

    def put(self, name: str, value: str) -> None:
        self._database.execute("insert or replace into meta values (?, ?)", (name, value))

    def next_sequence(self, name: str) -> int:
        """One more than the last: a sequence never goes back (I7)."""
        sequence = int(self.get(name, "0")) + 1
        self.put(name, str(sequence))
        return sequence

    # --- keys ----------------------------------------------------------------------------------------

    def keys(self, kind: Kind) -> list[KeyRow]:
        rows = self._database.execute(
            "select number, kid, certificate, created_s, activated_s, ends_s, signed_until_s, tainted"
            " from keys where kind = ? order by number",
            (kind,),
        )
        return [
            KeyRow(Key(kind, number, created, activated, ends, until, bool(tainted)), kid, certificate)
            for number, kid, certificate, created, activated, ends, until, tainted in rows
        ]

    def add_key(self, row: KeyRow) -> None:
        key = row.key
        self._database.execute(
            "insert into keys values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(key.kind, key.number, row.kid, row.certificate, key.created_s),
                *(key.activated_s, key.ends_s, key.signed_until_s, key.tainted),
            ),
        )

    def activate_key(self, kind: Kind, number: int, now_s: int) -> None:
        self._set_key("activated_s", now_s, kind, number)

    def taint_key(self, kind: Kind, number: int) -> None:
        self._set_key("tainted", 1, kind, number)

    def remove_key(self, kind: Kind, number: int) -> None:
        self._database.execute("delete from keys where kind = ? and number = ?", (kind, number))

    def signed(self, kind: Kind, number: int, until_s: int, now_s: int) -> None:
        """Notes that a key signed something valid until then; how late it is is never forgotten."""
        self._database.execute(
            "update keys set signed_until_s = max(signed_until_s, ?) where kind = ? and number = ?",
            (until_s, kind, number),
        )
        self.put("last_signature_s", str(max(now_s, int(self.get("last_signature_s", "0")))))

    def _set_key(self, column: str, value: int, kind: Kind, number: int) -> None:
        self._database.execute(
            f"update keys set {column} = ? where kind = ? and number = ?", (value, kind, number)
        )

    # --- registry ------------------------------------------------------------------------------------

    def add_service(self, service: Service) -> None:
        self._database.execute(
            "insert or ignore into services values (?, ?, ?)",
            (service.service, service.project, service.environment),
        )

    def put_deployment(self, deployment: Deployment, now_s: int) -> None:
        """A new deployment, or new addresses of one that is known. An ended one stays ended: ids are not reused."""
        workload = deployment.workload
        self._database.execute(
            "insert into deployments values (?, ?, ?, ?, ?, ?, ?, ?)"
            " on conflict do update set state = excluded.state, addresses = excluded.addresses,"
            " dns_names = excluded.dns_names,"
            " since_s = case when state = excluded.state then since_s else excluded.since_s end where state <> 'ended'",
            (
                *(workload.deployment, workload.service, workload.project, workload.environment),
                *(
                    deployment.state,
                    json.dumps(deployment.addresses),
                    json.dumps(deployment.dns_names),
                    now_s,
                ),
            ),
        )

    def deployments(self, trust_domain: str) -> list[Deployment]:
        rows = self._database.execute(
            "select project, environment, service, id, state, addresses, dns_names, since_s from deployments"
            " order by project, environment, service, since_s, id"
        )
        return [
            Deployment(
                Workload(trust_domain, project, environment, service, deployment),
                state,
                tuple(json.loads(addresses)),
                tuple(json.loads(dns_names)),
                since_s,
            )
            for project, environment, service, deployment, state, addresses, dns_names, since_s in rows
        ]

    def put_binding(self, binding: Binding) -> None:
        self._database.execute(
            "insert or replace into bindings values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(binding.id, str(binding.caller), str(binding.callee), binding.epoch, binding.active),
                *(binding.proof, binding.replay, binding.mode),
                json.dumps([[route.method, route.prefix] for route in binding.routes]),
            ),
        )

    def bindings(self) -> list[Binding]:
        rows = self._database.execute(
            "select id, caller, callee, epoch, active, proof, replay, mode, routes from bindings order by id"
        )
        return [_binding(row) for row in rows]

    def policy(self, trust_domain: str, now_s: int) -> Policy:
        """What receivers are told of the registry."""
        live: dict[Service, set[str]] = {}
        for deployment in self.deployments(trust_domain):
            names = live.setdefault(deployment.workload.of_service, set())
            if deployment.state != "ended":
                names.add(deployment.workload.deployment)
        denied: dict[str, dict[str, int]] = {"deployment": {}, "token": {}, "serial": {}, "epoch": {}}
        for kind, value, epoch in self._database.execute(
            "select kind, value, epoch from denied where until_s > ?", (now_s,)
        ):
            denied[kind][value] = epoch
        return Policy(
            sequence=int(self.get("policy_sequence", "0")),
            bindings=MappingProxyType({binding.id: binding for binding in self.bindings()}),
            deployments=MappingProxyType({service: frozenset(names) for service, names in live.items()}),
            denied=DeniedNow(
                frozenset(denied["deployment"]),
                frozenset(denied["token"]),
                frozenset(denied["serial"]),
                MappingProxyType(denied["epoch"]),
            ),
        )

    def deny(self, kind: str, value: str, until_s: int, epoch: int = 0) -> None:
        self._database.execute(
            "insert or replace into denied values (?, ?, ?, ?)", (kind, value, until_s, epoch)
        )

    # --- join secrets and the log --------------------------------------------------------------------

    def add_join_secret(self, sha256: str, workload: Workload, expires_s: int) -> None:
        self._database.execute(
            "insert into join_secrets values (?, ?, ?, null)", (sha256, str(workload), expires_s)
        )

    def use_join_secret(self, sha256: str, now_s: int) -> str | None:
        """The Workload id that it is of, once: the same statement that finds it uses it up."""
        row = self._database.execute(
            "update join_secrets set used_s = ? where sha256 = ? and used_s is null and expires_s > ?"
            " returning workload",
            (now_s, sha256, now_s),
        ).fetchone()
        return None if row is None else str(row[0])

    def log(self, entry: str) -> int:
        """Appends to the issuance log; the number of the entry."""
        last = self._database.execute(
            "select number, sha256 from issued order by number desc limit 1"
        ).fetchone()
        number, before = (last[0] + 1, last[1]) if last else (1, GENESIS)
        self._database.execute("insert into issued values (?, ?, ?)", (number, entry, chained(before, entry)))
        return int(number)

    def issued(self, after: int = 0) -> Iterator[tuple[int, str, str]]:
        yield from self._database.execute(
            "select number, entry, sha256 from issued where number > ? order by number", (after,)
        )

    def counts(self) -> Mapping[str, int]:
        """Rows per table, for `status`."""
        names = ("services", "deployments", "bindings", "issued")
        return {
            name: int(self._database.execute(f"select count(*) from {name}").fetchone()[0]) for name in names
        }


def _binding(row: tuple[Any, ...]) -> Binding:
    name, caller, callee, epoch, active, proof, replay, mode, routes = row
    calling, called = parse_service(caller), parse_service(callee)
    assert isinstance(calling, Service)
    assert isinstance(called, Service)
    return Binding(
        name,
        calling,
        called,
        epoch,
        active=bool(active),
        proof=proof,
        replay=replay,
        mode=mode,
        routes=tuple(Route(method, prefix) for method, prefix in json.loads(routes)),
    )
