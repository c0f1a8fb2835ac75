"""A lake whose files are in object storage: sealed there, read from there, and no credential anywhere but in memory."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from bench.recipe import requests
from drawing import SERVER, draw, span
from routing import deliver, ids_of
from s3 import REGION, S3, Key, s3
from sealed import seal_all
from serving import Collector, collecting
from sharing import BINDTRACE, in_lake, spans_in
from support import set_all, wait_for

from bindtrace.queries.database import join_lake, open_database, open_lake, open_read_only
from bindtrace.queries.lake.loss import LakeLostError
from bindtrace.queries.lake.naming import LakeRefusal, lake_at
from bindtrace.queries.lake.refusals import LakeAwayError
from bindtrace.queries.live_source import LiveSource

ROWS = 30
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
    set_all(monkeypatch, key.environment)
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
def test_files_that_were_deleted_are_told_of_when_the_lake_is_opened(
    place: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, place.keys[0].environment)
    path = sealed_file(tmp_path, place.data("deleted"))
    open_read_only(path).close()
    place.empty("deleted/")

    for opens in (open_read_only, lambda db: open_lake(f"{db}.catalog")):
        with pytest.raises(LakeLostError, match=r"lacks its files: no s3://traces/deleted/") as lost:
            opens(path)
        assert "forget-lake" in lost.value.fix


@pytest.mark.slow
def test_to_see_whether_its_files_are_there_costs_one_request_a_table(
    place: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, place.keys[0].environment)
    path = sealed_file(tmp_path, place.data("counted"), traces=4)
    before = place.requests()

    con = open_read_only(path)
    files = con.execute("select count(*) from ducklake_list_files('lake', 'spans')").fetchall()
    con.close()

    assert files[0][0] >= 4
    assert place.requests() - before == 2


def test_a_key_that_opens_nothing_does_not_make_the_files_lost(
    place: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, place.keys[0].environment)
    path = sealed_file(tmp_path, place.data("forbidden"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-right-one")

    with pytest.raises(LakeAwayError) as away:
        open_read_only(path)

    assert not isinstance(away.value, LakeLostError)
    assert "AWS_SECRET_ACCESS_KEY" in away.value.fix


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
    set_all(monkeypatch, place.keys[1].environment)
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


def sealed_file(folder: Path, data: str, traces: int = 1) -> Path:
    """A database whose traces are sealed, a file each, into the object storage: of few rows DuckLake makes no file."""
    path = folder / "t.duckdb"
    con = open_database(path)
    join_lake(con, lake_at(f"{path}.catalog", data))
    for number in range(1, traces + 1):
        draw(con, *(span("shop", SERVER, each, trace=number) for each in range(1, ROWS + 1)))
        assert seal_all(con) == ROWS
    con.close()
    return path


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
