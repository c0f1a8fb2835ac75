"""Whether the collector itself is well: its process, its storing, its doors, its files."""

from __future__ import annotations

from collections.abc import Iterator

from bindtrace.collector.diagnosis.answers import FAIL, OK, WARN, Found, Line
from bindtrace.queries import cells


def running(found: Found) -> Iterator[Line]:
    """Is there a collector at all."""
    if found.status is None:
        yield Line(
            WARN, "is a collector running", f"no, this is the file {found.where}", "start `bindtrace serve`"
        )
    else:
        yield Line(OK, "is a collector running", f"yes, process {found.status['pid']} at {found.where}")


def storage(found: Found) -> Iterator[Line]:
    """Does it store, analyse and seal; says nothing of a file alone."""
    if found.status is None:
        return
    if found.status.get("failure"):
        yield Line(
            FAIL, "does storing work", f"no: {found.status['failure']}",
            "free disk space or repair the disk; it starts again by itself, receivers go on until the journal is full",
        )  # fmt: skip
        return
    if found.status.get("analysis_failure"):
        step = "report it; spans are stored all the same, and are analysed once it is repaired"
        yield Line(FAIL, "does analysing work", f"no: {found.status['analysis_failure']}", step)
    if found.status.get("sealing_failure"):
        step = "see that the lake's catalog and data can be written; spans stay in the database until then"
        yield Line(FAIL, "does sealing work", f"no: {found.status['sealing_failure']}", step)
    waiting = int(found.status.get("journal_waiting_bytes", 0))
    late = waiting > 256 << 20
    evidence = (
        f"{found.status.get('spans', 0):,} spans stored, {waiting / 2**20:,.1f} MiB wait in the journal"
    )
    yield Line(WARN if late else OK, "does storing work", evidence, "wait, or send less" if late else "")


def listening(found: Found) -> Iterator[Line]:
    """Which doors stand open, in plaintext, to more than this machine."""
    endpoints = dict(found.status.get("endpoints", {})) if found.status else {}
    secured = set(found.status.get("secured", ())) if found.status else set()
    for name in sorted(endpoints):
        host = str(endpoints[name]).rpartition(":")[0].strip("[]")
        if not (host.startswith("127.") or host in ("::1", "localhost")) and name not in secured:
            yield Line(
                WARN, "who can reach it", f"{name} listens on {endpoints[name]}, in plaintext and for anyone",
                "listen on 127.0.0.1, or give it TLS and tokens",
            )  # fmt: skip


def damage(found: Found) -> Iterator[Line]:
    """What is in quarantine, what was set aside, and which lakes were given up."""
    if found.quarantined:
        evidence = f"{found.quarantined:,} entries are in quarantine"
        yield Line(
            FAIL,
            "was anything damaged",
            evidence,
            "`bindtrace quarantine list`, then `bindtrace quarantine retry`",
        )
    for entry in found.set_aside:
        lost = (
            "nothing is lost"
            if not entry["lost_until_unix_nano"]
            else "what was stored before is in that folder only"
        )
        yield Line(
            WARN if not entry["lost_until_unix_nano"] else FAIL, "was anything damaged",
            f"{', '.join(entry['files'])} was set aside ({entry['reason'][:120]}); {lost}",
            "see the disk's own log; `bindtrace quarantine list` names the folder",
        )  # fmt: skip
    lakes = [gap for gap in found.gaps if gap["what"] == "lost"]
    for gap in lakes:
        evidence = f"a lake was given up: what was sealed until {cells.moment(gap['until'])} UTC is lost"
        yield Line(WARN, "was anything damaged", evidence, "`bindtrace restore` a backup, to ask that")
    if not (found.quarantined or found.set_aside or lakes):
        yield Line(OK, "was anything damaged", "no")
