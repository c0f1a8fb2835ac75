"""What `serve` asks of its doors before it begins: an open address, files that cannot be used, token files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from certificates import certificate
from click.testing import CliRunner

from bindtrace.collector.receive.auth import Tokens, read_tokens
from bindtrace.collector.receive.doors import DoorFiles, open_doors
from bindtrace.collector.serve_command import serve
from bindtrace.propagation.errors import Refusal

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start")
    certificate("collector", certificate("authority", None, folder), folder)
    (folder / "tokens").write_text(f"orders:{TOKEN}\n")
    return folder


def start(*options: str) -> str:
    """What `serve` refuses with."""
    outcome = CliRunner().invoke(serve, ["--db", "/nonexistent/x.duckdb", *options])
    assert outcome.exit_code != 0
    return outcome.output


def test_an_open_address_is_refused_without_tls_and_auth(folder: Path) -> None:
    cert = ["--tls-cert", str(folder / "collector.pem"), "--tls-key", str(folder / "collector.key")]

    assert "in plaintext and by anyone" in start("--grpc", "0.0.0.0:0")
    assert "in plaintext and by anyone" in start(
        "--http", "0.0.0.0:0", "--token-file", str(folder / "tokens")
    )
    assert "reached from other machines, by anyone" in start("--grpc", "0.0.0.0:0", *cert)
    assert "--api" in start("--api", "0.0.0.0:0", *cert, "--token-file", str(folder / "tokens"))


def test_a_manifest_on_standard_input_is_refused_since_it_is_read_at_every_start() -> None:
    assert "standard input can be read once" in start("--manifest", "-")


def test_an_open_address_is_taken_with_tls_and_tokens(folder: Path) -> None:
    options = ["--tls-cert", str(folder / "collector.pem"), "--tls-key", str(folder / "collector.key")]

    said = start(
        "--grpc", "0.0.0.0:0", "--http", "0.0.0.0:0", *options, "--token-file", str(folder / "tokens")
    )

    assert "reached from other machines" not in said


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (DoorFiles(tls_cert=Path("a.pem")), "needs a certificate and its key"),
        (DoorFiles(tls_client_ca=Path("a.pem")), "needs a certificate and its key"),
        (DoorFiles(tls_cert=Path("no.pem"), tls_key=Path("no.key")), "cannot use no.pem"),
        (DoorFiles(token_file=Path("no.tokens")), "cannot read the token file"),
        (DoorFiles(drain_secret_file=Path("no.secret")), "cannot read the drain secret file"),
    ],
    ids=str,
)
def test_a_file_that_cannot_be_used_is_refused_at_the_start(files: DoorFiles, said: str) -> None:
    with pytest.raises(Refusal, match=said):
        open_doors(files)


@pytest.mark.parametrize("line", ["orders", "orders:short", f":{TOKEN}", f"a:{TOKEN}\nb:{TOKEN}", ""])
def test_a_token_file_says_which_line_is_wrong_and_not_what_is_in_it(tmp_path: Path, line: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(line)

    with pytest.raises(Refusal) as refusal:
        read_tokens(path)

    assert TOKEN not in str(refusal.value)


def test_tokens_are_not_in_what_is_printed_of_them(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"orders:{TOKEN}")

    tokens = read_tokens(path)

    assert tokens.name(f"bearer {TOKEN}") == "orders"
    assert TOKEN not in repr(tokens)
    assert not Tokens()


def test_a_receiver_that_cannot_read_its_certificate_says_so_and_ends(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-P",
        "-m",
        "bindtrace.collector.receive.process",
        "--journal",
        str(tmp_path / "j"),
    ]
    command += [
        "--grpc",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--supervisor-fd",
        "0",
        "--tls-cert",
        "no",
        "--tls-key",
        "no",
    ]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode == 2
    assert "cannot use no" in ended.stderr
