"""T34: files with keys are never readable by others, and are refused where they are."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bindtrace.propagation.authority import key_files
from bindtrace.propagation.authority.issuing import Authority, initialise
from bindtrace.propagation.authority.rotation import Lives
from bindtrace.propagation.errors import Refusal

NOW_S = 1_800_000_000


@pytest.fixture
def private(tmp_path: Path) -> Path:
    key_files.make_private_directory(tmp_path / "private")
    return tmp_path / "private"


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        initialised = mask != 0o777
        if initialised:
            authority = initialise(tmp_path / "ca", "shop.example", Lives(), NOW_S)
            authority.store.close()
    finally:
        os.umask(before)

    if initialised:
        found = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "ca").rglob("*")}
        assert len(found) >= 4
        assert all(mode & 0o077 == 0 for mode in found.values()), found


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o666, 0o610, 0o601])
def test_a_key_that_others_may_use_is_refused(private: Path, mode: int) -> None:
    key_files.write_private(private / "a.pem", b"key")
    (private / "a.pem").chmod(mode)

    with pytest.raises(Refusal, match=f"mode {mode:04o}"):
        key_files.read_private(private / "a.pem")


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o777])
def test_an_authority_in_a_loose_directory_does_not_start(tmp_path: Path, mode: int) -> None:
    initialise(tmp_path / "ca", "shop.example", Lives(), NOW_S).store.close()
    (tmp_path / "ca").chmod(mode)

    with pytest.raises(Refusal, match="chmod 0700"):
        Authority(tmp_path / "ca")


def test_a_link_in_place_of_a_key_is_refused(private: Path) -> None:
    key_files.write_private(private / "real.pem", b"key")
    (private / "link.pem").symlink_to(private / "real.pem")

    with pytest.raises(Refusal, match="symbolic link"):
        key_files.read_private(private / "link.pem")


def test_a_key_is_never_written_through_a_link_or_over_another(private: Path, tmp_path: Path) -> None:
    (private / "link.pem").symlink_to(tmp_path / "elsewhere")
    key_files.write_private(private / "a.pem", b"first")

    for name in ("link.pem", "a.pem"):
        with pytest.raises(Refusal, match="already there"):
            key_files.write_private(private / name, b"second")
    assert not (tmp_path / "elsewhere").exists()
    assert (private / "a.pem").read_bytes() == b"first"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of somebody else")
def test_a_key_of_somebody_else_is_refused(private: Path) -> None:
    key_files.write_private(private / "a.pem", b"key")
    os.chown(private / "a.pem", 12345, 12345)

    with pytest.raises(Refusal, match="belongs to user 12345"):
        key_files.read_private(private / "a.pem")


def test_a_missing_key_names_the_way_out(private: Path) -> None:
    with pytest.raises(Refusal, match="authority init"):
        key_files.read_private(private / "none.pem")


def test_a_directory_or_a_pipe_is_no_key(private: Path) -> None:
    (private / "folder").mkdir(mode=0o700)
    os.mkfifo(private / "pipe", 0o600)

    for name in ("folder", "pipe"):
        with pytest.raises(Refusal, match="no private file"):
            key_files.read_private(private / name)


def test_no_reader_ever_sees_a_loose_mode_while_keys_are_made(tmp_path: Path) -> None:
    """Watched all along by a thread that stats what appears."""
    key_files.make_private_directory(tmp_path / "keys")
    seen: set[int] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            for entry in os.scandir(tmp_path / "keys"):
                seen.add(stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode))

    watching = threading.Thread(target=watch)
    watching.start()
    before = os.umask(0)
    try:
        for number in range(300):
            key_files.write_private(tmp_path / "keys" / f"{number}.pem", b"key")
    finally:
        os.umask(before)
        ended.set()
        watching.join()

    assert seen == {0o600}


def test_the_secret_of_an_invitation_is_not_in_the_store(tmp_path: Path) -> None:
    code = (
        "from bindtrace.propagation.authority.issuing import *; from bindtrace.propagation.identity.spiffe import *;"
        "import sys; from pathlib import Path;"
        "a = initialise(Path(sys.argv[1]), 'shop.example', Lives(), 1); w = Workload('shop.example','p','e','s','d');"
        "a.register(w, 1); print(a.invite(w, 1))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "ca")], capture_output=True, text=True, check=True
    )
    written = b"".join(path.read_bytes() for path in (tmp_path / "ca").rglob("*") if path.is_file())

    assert len(done.stdout.strip()) >= 22
    assert done.stdout.strip().encode() not in written
