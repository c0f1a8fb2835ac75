"""T25: names that want to be paths, and links, open nothing outside the folder that was given."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from answering import Api
from click.testing import CliRunner
from hostile import PATHS
from watching import watching

from bindtrace.collector.journal.reader import JournalReader
from bindtrace.collector.journal.record import Request
from bindtrace.collector.journal.segment import JournalWriter
from bindtrace.propagation.command import bindtrace
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.platforms import read_manifests
from bindtrace.queries.api.app import build
from bindtrace.queries.audit.bundle import DIGESTS, FORMAT, PUBLIC_KEY, SIGNATURE
from bindtrace.queries.audit.signing import Key, open_key, public_pem
from bindtrace.queries.audit.verifying import verify

SECRET = "of nobody else's business"


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """A folder, beside which are files that nothing in it may lead to."""
    for name in ("secret", "secret.json", "x/secret"):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text(SECRET)
    folder = tmp_path / "out" / "folder"
    folder.mkdir()
    return folder


@contextmanager
def only_within(folder: Path) -> Iterator[None]:
    """Nothing beside the folder, and nothing that a payload names, is opened in the block."""
    with watching() as watched:
        yield
    beside = folder.parent.resolve()
    outside = {
        name
        for name in watched.opened
        if (Path(name).is_relative_to(beside) and not Path(name).is_relative_to(folder.resolve()))
        or name.startswith(("/etc/passwd", "/proc/self/environ", "/dev/zero", str(Path.home() / "secret")))
    }
    assert outside == set()


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return open_key(tmp_path_factory.mktemp("key") / "key.pem", make=True)


@pytest.fixture(scope="module")
def api() -> Api:
    return Api(build(lambda name, query: [], dict, lambda position, timeout: True))


@pytest.mark.parametrize("payload", PATHS)
def test_no_address_of_the_api_is_a_path_of_files(api: Api, inside: Path, payload: str) -> None:
    with only_within(inside):
        for address in (f"/{quote(payload)}", f"/page/{quote(payload, safe='')}", f"/chain/{quote(payload)}"):
            reply = api.get(address)
            assert reply.status_code in (400, 404) or b"<title>" in reply.content, address
            assert b"root:" not in reply.content


@pytest.mark.parametrize("payload", PATHS)
def test_no_name_of_an_audit_leads_out_of_its_folder(inside: Path, key: Key, payload: str) -> None:
    (inside / DIGESTS).write_text(
        json.dumps({"format": FORMAT, "files": {payload: {"sha256": "0" * 64, "bytes": 1}}})
    )
    (inside / SIGNATURE).write_text("a.b.c")
    (inside / PUBLIC_KEY).write_bytes(public_pem(key))

    states: set[str] = set()
    with only_within(inside), contextlib.suppress(Refusal):
        states = {line.state for line in verify(inside).lines}
    assert not states & {"ok", "changed"}


def test_no_link_of_an_audit_leads_out_of_its_folder(inside: Path, key: Key) -> None:
    (inside / "file.json").symlink_to("../secret")
    (inside / "below").symlink_to("..", target_is_directory=True)
    listed = {name: {"sha256": "0" * 64, "bytes": 1} for name in ("file.json", "below/secret")}
    (inside / DIGESTS).write_text(json.dumps({"format": FORMAT, "files": listed}))
    (inside / SIGNATURE).write_text("a.b.c")
    (inside / PUBLIC_KEY).write_bytes(public_pem(key))

    with only_within(inside):
        states = {line.file: line.state for line in verify(inside).lines}
    assert states == {"file.json": "not a file", "below/secret": "not a file", "below": "extra"}

    (inside / DIGESTS).unlink()
    (inside / DIGESTS).symlink_to("../secret.json")
    with only_within(inside), pytest.raises(Refusal, match="is a link"):
        verify(inside)


def test_no_link_of_a_folder_of_manifests_leads_out_of_it(inside: Path) -> None:
    (inside / "bindtrace.toml").write_text('scope = "shop"\n[services.orders]\n')
    (inside / "real.yaml").write_text("a: 1\n")
    (inside / "linked.yaml").symlink_to("real.yaml")  # as Kubernetes mounts a ConfigMap
    for name in ("vercel.json", "policy.yaml", "wrangler.toml"):
        (inside / name).symlink_to("../secret.json")
    (inside / "below").symlink_to("..", target_is_directory=True)
    (inside / "zero.json").symlink_to("/dev/zero")
    os.mkfifo(inside / "pipe.yaml")

    with only_within(inside):
        assert [Path(one.file).name for one in read_manifests([inside])] == ["bindtrace.toml"]


@pytest.mark.parametrize("payload", PATHS)
def test_no_path_that_a_manifest_names_is_opened(inside: Path, payload: str) -> None:
    text = json.dumps(payload)
    vercel = {"services": {"a": {"root": payload, "entrypoint": payload}}, "relatedProjects": [payload]}
    worker = {"name": "a", "main": payload, "assets": {"directory": payload}, "base_dir": payload}
    (inside / "vercel.json").write_text(json.dumps(vercel))
    (inside / "wrangler.jsonc").write_text(json.dumps(worker))
    (inside / "bindtrace.toml").write_text(f"scope = {text}\n[services.a]\nhosts = [{text}]\n")

    with only_within(inside):
        CliRunner().invoke(bindtrace, ["manifest", str(inside)])


def test_no_link_in_a_journal_is_read(inside: Path) -> None:
    body = b"\x0a\x00"
    writer = JournalWriter(inside.parent / "elsewhere")
    position = writer.append([Request("s", "http", "protobuf", 1, bytes(16), 1, body)])
    writer.close()
    (segment,) = (inside.parent / "elsewhere").glob("*.seg")
    (inside / "receiver").mkdir()
    (inside / "receiver" / segment.name).symlink_to(segment)
    (inside / "linked").symlink_to(inside.parent / "elsewhere", target_is_directory=True)

    with only_within(inside):
        assert JournalReader(inside).read({}, 1 << 20) == []
    assert [batch.end for batch in JournalReader(inside.parent).read({}, 1 << 20)] == [position.offset]


def test_a_name_that_is_a_path_writes_only_where_it_was_told(inside: Path) -> None:
    before = sorted(inside.parent.rglob("*"))

    with only_within(inside):
        result = CliRunner().invoke(bindtrace, ["dashboards", "export", str(inside / "boards")])

    assert result.exit_code == 0, result.output
    assert [path for path in sorted(inside.parent.rglob("*")) if not path.is_relative_to(inside)] == [
        path for path in before if not path.is_relative_to(inside)
    ]
