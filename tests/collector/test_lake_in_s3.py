"""A lake whose files are in object storage: sealed there, read from there, and no credential anywhere but in memory."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from bench.recipe import requests
from routing import deliver, ids_of
from s3 import REGION, S3, Key, s3
from serving import Collector, collecting
from sharing import BINDTRACE, in_lake, spans_in
from support import wait_for

from bindtrace.queries.database import join_lake, open_database, open_lake
from bindtrace.queries.lake.naming import LakeRefusal, lake_at
from bindtrace.queries.source import LiveSource

AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")


@pytest.fixture(scope="module")
def storage() -> Iterator[S3]:
    with s3() as server:
        yield server


@pytest.fixture
def place(storage: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> S3:
    """The server, found by the environment; who we are there is still to be said."""
    for name in AWS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", storage.url)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return storage


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_what_is_sealed_into_object_storage_is_read_from_there_and_no_secret_is_kept(
    place: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = place.keys[1]
    for name, value in key.environment.items():
        monkeypatch.setenv(name, value)
    catalog = str(tmp_path / "catalog.ducklake")

    sent = sealed_by_a_collector(tmp_path, catalog, place.data("whole"), 3)

    with closing(open_lake(catalog)) as lake:
        assert set(sent) <= set(spans_in(lake))
        assert key.secret not in str(lake.execute("from duckdb_settings()").fetchall())
        assert key.secret not in str(lake.execute("from duckdb_secrets()").fetchall())
        files = lake.execute("select data_file from ducklake_list_files('lake', 'spans')").fetchall()
    assert files
    assert all(name.startswith(place.data("whole")) for (name,) in files)
    assert in_lake(catalog, "chains")
    assert not list(tmp_path.rglob("*.parquet"))
    of_one = (
        BINDTRACE,
        "sql",
        "select value from duckdb_settings()",
        "--db",
        tmp_path / "t.duckdb",
        "-f",
        "json",
    )
    settings = subprocess.run(of_one, capture_output=True, text=True, timeout=60)
    assert settings.returncode == 0, settings.stderr
    assert key.secret not in settings.stdout
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or key.secret.encode() not in path.read_bytes(), path


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_key_that_is_replaced_while_a_collector_runs_is_taken_from_its_file(
    place: S3, tmp_path: Path
) -> None:
    old, new = place.keys
    write(tmp_path / "credentials", old)
    catalog = str(tmp_path / "catalog.ducklake")
    bodies = iter(requests(seed=5, spans_per_request=50))
    options = ("--lake", catalog, "--data", place.data("replaced"), "--seal-after", "1s")

    with collecting(tmp_path / "t.duckdb", *options, receivers=1) as collector:
        sent = send(collector.endpoints["http"], next(bodies)[0])
        wait_for_sealed(collector, len(sent))
        place.revoke(old)
        write(tmp_path / "credentials", new)
        sent += send(collector.endpoints["http"], next(bodies)[0])
        wait_for_sealed(collector, len(sent))
        assert collector.stop() == 0, collector.errors.read_text()

    with closing(open_lake(catalog)) as lake:
        assert dict(spans_in(lake)) == dict.fromkeys(sent, 1)


@pytest.mark.slow
def test_a_key_that_opens_nothing_is_named_with_the_fix_and_not_shown(
    place: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = str(tmp_path / "catalog.ducklake")
    for name, value in place.keys[1].environment.items():
        monkeypatch.setenv(name, value)
    sealed_by_a_collector(tmp_path, catalog, place.data("closed"), 1)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-right-one")

    done = subprocess.run(
        [BINDTRACE, "--lake", catalog, "chains"], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: cannot open the lake")
    assert "AWS_SECRET_ACCESS_KEY" in done.stderr.partition("fix: ")[2]
    assert "not-the-right-one" not in done.stderr


def test_without_any_credential_the_lake_is_refused_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in AWS:
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    lake = lake_at(str(tmp_path / "catalog.ducklake"), "s3://traces/none")

    with closing(open_database(None)) as con, pytest.raises(LakeRefusal) as refused:
        join_lake(con, lake)

    assert "AWS_ACCESS_KEY_ID" in refused.value.fix


@pytest.mark.parametrize(
    "data",
    [
        "s3://key:secret@traces/lake",
        "s3://traces/lake?s3_secret_access_key=secret",
        "gs://traces",
        "s3:///lake",
    ],
)
def test_a_place_that_holds_a_credential_or_is_none_is_refused(data: str) -> None:
    with pytest.raises(LakeRefusal) as refused:
        lake_at("catalog.ducklake", data)

    assert "s3://BUCKET/PREFIX" in refused.value.fix
    assert "secret" not in str(refused.value)


def sealed_by_a_collector(folder: Path, catalog: str, data: str, bodies: int) -> list[bytes]:
    """Which spans it acknowledged; all of them are sealed."""
    source = iter(requests(seed=3, spans_per_request=50))
    options = ("--lake", catalog, "--data", data, "--seal-after", "1s")
    with collecting(folder / "t.duckdb", *options, receivers=1) as collector:
        sent = [span for _ in range(bodies) for span in send(collector.endpoints["http"], next(source)[0])]
        wait_for_sealed(collector, len(sent))
        assert collector.stop() == 0, collector.errors.read_text()
    return sent


def send(address: str, body: bytes) -> list[bytes]:
    assert deliver(address, body)
    return ids_of(body)


def wait_for_sealed(collector: Collector, spans: int) -> None:
    """Until all of them are in the lake."""
    running = LiveSource(f"http://{collector.endpoints['api']}")
    wait_for(
        lambda: running.status()["spans_sealed"] == spans,
        seconds=90,
        what=lambda: f"all to be sealed: {running.status()}, {collector.errors.read_text()[-1000:]}",
    )


def write(path: Path, key: Key) -> None:
    """As AWS's own programs keep it."""
    path.write_text(f"[default]\naws_access_key_id = {key.name}\naws_secret_access_key = {key.secret}\n")
