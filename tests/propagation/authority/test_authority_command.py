"""`bindtrace authority` as a person uses it, with the real process behind it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import wait_for

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.workload.identity import Identity

pytestmark = pytest.mark.slow  # each step is a process of its own
BINDTRACE = str(Path(sys.executable).parent / "bindtrace")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BINDTRACE, "authority", *words], capture_output=True, text=True, timeout=30)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority with one binding, made once and copied."""
    tmp_path = tmp_path_factory.mktemp("made")
    done = run("init", str(tmp_path / "ca"), "--trust-domain", "shop.example")
    assert done.returncode == 0, done.stderr
    (tmp_path / "bindtrace.toml").write_text(
        'scope = "shop"\n[[grants]]\ncaller = "orders"\ncallee = "inventory"\n'
    )
    done = run("register", str(tmp_path / "ca"), "--manifest", str(tmp_path / "bindtrace.toml"))
    assert done.stdout == "orders may call inventory (production)\n"
    return tmp_path / "ca"


@pytest.fixture
def directory(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "ca"))


@pytest.fixture
def serving(directory: Path) -> Iterator[Path]:
    process = subprocess.Popen([BINDTRACE, "authority", "serve", str(directory)], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: (directory / "authority.sock").exists(), what="the socket")
        yield directory
    finally:
        process.terminate()
        assert process.wait(15) == 0


def invited(directory: Path, service: str) -> Path:
    out = directory.parent / f"{service}.join"
    done = run("issue", str(directory), "--service", service, "--out", str(out))
    assert done.returncode == 0, done.stderr
    return out


def test_a_service_joins_and_renews_and_an_invitation_works_once(serving: Path) -> None:
    invitation = invited(serving, "orders")

    identity = Identity.join(invitation)
    first = identity.generation
    refused = identity.renew()
    identity.close()

    assert (refused, first.number, identity.generation.number) == (None, 1, 2)
    assert identity.generation.workload.service == "orders"
    assert {callee.service for callee, _ in identity.generation.tokens} == {"inventory"}
    with pytest.raises(Refusal, match="secret"):
        Identity.join(invitation)
    assert "ey" not in repr(first)


def test_a_callback_hears_of_each_generation(serving: Path) -> None:
    heard: list[int] = []
    identity = Identity.join(invited(serving, "orders"))

    identity.subscribe(lambda generation, _: heard.append(generation.number))
    run("rotate", str(serving), "--taint", "ca")
    assert identity.news() is not None
    wait_for(lambda: 2 in heard, what="the renewal that a tainted key asks for")
    identity.close()

    assert len(identity.bundle.authorities) == 2


def test_who_is_not_the_authority_is_not_told_the_secret(serving: Path, tmp_path: Path) -> None:
    """Another authority of the same name at the same address: its certificate is not in the invitation's bundle."""
    invitation = invited(serving, "orders")
    other = tmp_path / "other"
    run("init", str(other), "--trust-domain", "shop.example")
    document = json.loads(invitation.read_text())
    process = subprocess.Popen([BINDTRACE, "authority", "serve", str(other)], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: (other / "authority.sock").exists(), what="the socket")
        document["address"] = f"unix:{other / 'authority.sock'}"
        invitation.write_text(json.dumps(document))
        with pytest.raises(Refusal, match="CERTIFICATE_VERIFY_FAILED"):
            Identity.join(invitation)
    finally:
        process.terminate()
        process.wait(15)


def test_status_says_what_is_there_and_finds_a_changed_log(directory: Path) -> None:
    import sqlite3

    before = run("status", str(directory), "-f", "json")
    said = json.loads(before.stdout)
    with sqlite3.connect(directory / "authority.sqlite") as database:
        database.execute("update issued set entry = replace(entry, 'ca', 'xy') where number = 1")
    after = run("status", str(directory))

    assert (before.returncode, said["log"], said["bindings"]) == (0, "holds", 1)
    assert [(key["kind"], key["state"]) for key in said["keys"]] == [("ca", "active"), ("token", "active")]
    assert after.returncode == 1
    assert "broken at entry 1" in after.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("init", "{ca}", "--trust-domain", "shop.example"), "already there"),
        (("init", "{new}", "--trust-domain", "Shop"), "not a trust domain"),
        (("init", "{new}", "--trust-domain", "shop", "--ca-life", "1h"), "do not fit together"),
        (("init", "{new}", "--trust-domain", "shop", "--ca-life", "soon"), "not a span of time"),
        (("issue", "{ca}", "--service", "a b", "--out", "{new}"), "not a service id"),
        (("issue", "{ca}", "--service", "a", "--project", "bindtrace", "--out", "{new}"), "reserved"),
        (("issue", "{ca}", "--service", "a", "--dns", "*.a", "--out", "{new}"), "not a lower-case DNS name"),
        (("status", "{new}"), "is missing"),
        (("deny", "{ca}"), "nothing is named"),
        (("serve", "{ca}", "--listen", "nowhere"), "not an address"),
    ],
)
def test_what_cannot_be_done_is_one_line_with_the_way_out(
    directory: Path, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    done = run(*(word.format(ca=directory, new=tmp_path / "new") for word in words))

    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert says in line
    assert "fix: " in line
