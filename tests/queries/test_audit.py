"""`bindtrace audit`: what cannot be seen comes first, and nothing in the folder can change without being named."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from answering import answering
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from drawing import NOON, SECOND
from drawn_shop import PUBLIC_ID, UNDECLARED_ID, write_shop
from support import free_port

from bindtrace.propagation.command import bindtrace
from bindtrace.queries.audit.bundle import UNLISTED
from bindtrace.queries.audit.facts import collect
from bindtrace.queries.audit.unseen import unseen
from bindtrace.queries.database import open_database
from bindtrace.queries.query import Query
from bindtrace.queries.source import FileSource

SINCE = str(NOON // SECOND - 60)
Change = Callable[[Path], object]


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(bindtrace, ["audit", *map(str, words)])


def key_file(path: Path, key: object, passphrase: bytes | None = None) -> Path:
    encryption = (
        serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    )
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)  # type: ignore[attr-defined]
    )
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("audit") / "shop.duckdb")


@pytest.fixture(scope="module")
def made(db: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "out"
    result = run("--db", db, "--since", SINCE, "-o", folder)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "out"))


def test_the_page_says_first_what_could_not_be_seen(made: Path) -> None:
    page = (made / "README.md").read_text()
    headings = [line for line in page.splitlines() if line.startswith("## ")]

    assert headings[:3] == ["## What could not be seen", "## Exposure of every service", "## Calls by road"]
    assert "no receiver verified it" in page
    assert "| `inventory` |" in page
    assert re.search(r"\| unknown \| [1-9]", page)


def test_facts_are_there_as_json(made: Path) -> None:
    files = {path.stem: json.loads(path.read_text()) for path in made.glob("*.json")}

    assert {row["service"]: row["exposure"] for row in files["services"]}["storefront"] == "public"
    assert sum(files["about"]["calls_by_road"].values()) == files["about"]["calls"]
    assert {row["revision"] for row in files["revisions"]} == {"1", "2"}
    assert [(row["what"], row["spans"]) for row in files["gaps"]] == [("rejected", 2)]
    assert any("2 spans were rejected" in sentence for sentence in files["unseen"])


def test_evidence_is_the_spans_behind_what_is_not_in_order(
    made: Path, con: duckdb.DuckDBPyConnection
) -> None:
    rows = con.execute(
        f"select trace_id, service, start_time_unix_nano, why from '{made}/evidence.parquet'"
    ).fetchall()

    assert {(row[0], *row[3]) for row in rows} == {(UNDECLARED_ID, "denied"), (PUBLIC_ID, "public")}
    assert {row[1] for row in rows} >= {"storefront", "ledger", "orders", "inventory"}
    assert all(isinstance(row[2], int) and row[2] >= NOON for row in rows)


def test_an_untouched_folder_is_good_wherever_it_is(folder: Path) -> None:
    result = run("verify", folder)

    assert result.exit_code == 0
    assert "files are as the key" in result.stderr
    assert "that key came with the folder" in result.stderr


@pytest.mark.parametrize(
    ("change", "state", "file"),
    [
        (lambda out: (out / "edges.json").write_text("[]"), "changed", "edges.json"),
        (lambda out: (out / "evidence.parquet").unlink(), "missing", "evidence.parquet"),
        (lambda out: (out / "more.json").write_text("[]"), "extra", "more.json"),
        (lambda out: ((out / "sub").mkdir(), (out / "sub" / "x").touch()), "extra", "sub/x"),
        (
            lambda out: ((out / "gaps.json").unlink(), (out / "gaps.json").symlink_to(out / "edges.json")),
            "not a file",
            "gaps.json",
        ),
        (lambda out: (out / "link").symlink_to("/etc/passwd"), "extra", "link"),
    ],
)
def test_what_is_not_as_it_was_is_named(folder: Path, change: Change, state: str, file: str) -> None:
    change(folder)

    result = run("verify", folder, "-f", "json")

    assert result.exit_code == 1
    assert [(row["state"], row["file"]) for row in json.loads(result.stdout) if row["state"] != "ok"] == [
        (state, file)
    ]


def test_digests_that_were_changed_to_fit_are_not_signed(folder: Path) -> None:
    (folder / "edges.json").write_text("[]")
    digests = json.loads((folder / "digests.json").read_text())
    digests["files"]["edges.json"]["sha256"] = (
        "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
    )
    (folder / "digests.json").write_text(json.dumps(digests))

    result = run("verify", folder)

    assert result.exit_code == 1
    assert "the digests are not signed by the key" in result.stderr


@pytest.mark.parametrize("signature", ["", "a.b.c", "eyJhbGciOiJub25lIn0..", "\udcff"])
def test_a_signature_that_is_none_is_not_believed(folder: Path, signature: str) -> None:
    (folder / "signature.jws").write_bytes(signature.encode("utf-8", "surrogateescape"))

    assert run("verify", folder).exit_code == 1


@pytest.mark.slow
def test_a_folder_signed_anew_by_another_fails_against_the_known_key(
    db: Path, made: Path, tmp_path: Path
) -> None:
    other = key_file(tmp_path / "other.pem", ed25519.Ed25519PrivateKey.generate())
    forged = tmp_path / "forged"
    assert run("--db", db, "--since", SINCE, "-o", forged, "--key", other).exit_code == 0

    assert run("verify", forged).exit_code == 0
    assert run("verify", forged, "--key", made / "public-key.pem").exit_code == 1
    assert run("verify", made, "--key", made / "public-key.pem").exit_code == 0


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "", "a/../../x"])
def test_digests_that_lead_out_of_the_folder_are_refused(folder: Path, name: str) -> None:
    digests = json.loads((folder / "digests.json").read_text())
    digests["files"][name] = digests["files"]["edges.json"]
    (folder / "digests.json").write_text(json.dumps(digests))

    assert run("verify", folder).exit_code == 2


@pytest.mark.parametrize("content", ["", "[]", "null", '{"format": "other"}', "[" * 100_000])
def test_what_is_no_audit_is_refused(folder: Path, content: str) -> None:
    (folder / "digests.json").write_text(content)

    assert run("verify", folder).exit_code == 2


def test_a_key_is_made_once_beside_the_database_for_nobody_else(db: Path, made: Path) -> None:
    key = db.with_name("shop.duckdb.audit-key.pem")

    assert key.stat().st_mode & 0o777 == 0o600
    assert not any(b"PRIVATE" in path.read_bytes() for path in made.iterdir())
    assert set(UNLISTED) <= {path.name for path in made.iterdir()}


def test_a_p256_key_of_the_users_own_signs(db: Path, tmp_path: Path) -> None:
    key = key_file(tmp_path / "mine.pem", ec.generate_private_key(ec.SECP256R1()))

    assert run("--db", db, "--since", SINCE, "-o", tmp_path / "out", "--key", key).exit_code == 0
    assert run("verify", tmp_path / "out").exit_code == 0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: key_file(path, rsa.generate_private_key(65537, 2048)),
        lambda path: key_file(path, ec.generate_private_key(ec.SECP384R1())),
        lambda path: key_file(path, ed25519.Ed25519PrivateKey.generate(), b"secret"),
        lambda path: key_file(path, ed25519.Ed25519PrivateKey.generate()).chmod(0o644),
        lambda path: (path.write_text("no key"), path.chmod(0o600)),
        lambda path: None,
    ],
    ids=["rsa", "p384", "passphrase", "open to all", "no key", "absent"],
)
def test_an_unfit_key_is_refused_before_anything_is_written(db: Path, tmp_path: Path, spoil: Change) -> None:
    spoil(tmp_path / "key.pem")

    result = run("--db", db, "-o", tmp_path / "out", "--key", tmp_path / "key.pem")

    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_is_left_alone(db: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()

    assert run("--db", db, "-o", tmp_path).exit_code == 2
    assert os.listdir(tmp_path) == ["mine.txt"]


@pytest.mark.slow
def test_a_collector_gives_the_same_facts_as_its_file(db: Path, made: Path, tmp_path: Path) -> None:
    key = db.with_name("shop.duckdb.audit-key.pem")
    with answering(db) as url:
        result = run("--url", url, "--since", SINCE, "-o", tmp_path / "live", "--key", key)

    assert result.exit_code == 0, result.output
    own = {"about.json", "README.md", "digests.json", "signature.jws"}
    for path in made.iterdir():
        assert path.name in own or (tmp_path / "live" / path.name).read_bytes() == path.read_bytes(), (
            path.name
        )


def test_a_window_without_anything_says_so(tmp_path: Path) -> None:
    open_database(tmp_path / "empty.duckdb").close()

    result = run("--db", tmp_path / "empty.duckdb", "-o", tmp_path / "out")

    assert result.exit_code == 0
    assert "Nothing was received in this window" in result.stdout
    assert "No manifest was in force" in result.stdout
    assert run("verify", tmp_path / "out").exit_code == 0


def test_more_evidence_than_is_enclosed_is_said(db: Path) -> None:
    source = FileSource(db)
    facts = collect(source, Query(), evidence_rows=1)
    source.close()

    assert (len(facts.evidence), facts.evidence_cut) == (1, True)
    assert any("only the latest 1" in sentence for sentence in unseen(facts))


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("-o", "out", "--since", "1m", "--until", "2m"),
        ("-o", "out", "--url", f"http://127.0.0.1:{free_port()}"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    tmp_path: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(*words).exit_code == 2
