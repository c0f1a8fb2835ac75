"""What is well and what is not, from the answers of a source: one line a question. Asks nothing and prints nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from bindtrace.collector.instrumenting import CLOUDFLARE, broken, missing
from bindtrace.propagation.errors import Refusal

Row = Mapping[str, Any]

OK, WARN, FAIL = "ok", "warn", "fail"
QUIET_S: Final = 300
CLOCK_S: Final = 60
MISSING: Final = 0.05
"""Above this share of calls without their parent, chains are broken; below, a few are late or sampled."""
SEND: Final = "export OTEL_EXPORTER_OTLP_ENDPOINT=http://{http} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"


class Line(NamedTuple):
    """One answer: how it is, what was asked, what was found, and what to do next (empty where nothing is)."""

    state: str
    question: str
    evidence: str
    next_step: str = ""


class Found(NamedTuple):
    """Everything that is looked at. `status` is None for a stopped collector's file."""

    status: Row | None
    health: Sequence[Row]
    instrumentation: Sequence[Row]
    crossings: Sequence[Row]
    senders: Sequence[Row]
    services: Sequence[Row]
    grants: Sequence[Row]
    findings: Sequence[Row]
    issuers: Sequence[Row]
    quarantined: int
    set_aside: Sequence[Row]
    now_unix_nano: int
    where: str


def diagnose(found: Found) -> list[Line]:
    """The lines, in the order in which a newcomer would fix them."""
    checks = (
        _collector,
        _storage,
        _listening,
        _arriving,
        _binding,
        _crossing,
        _manifest,
        _parents,
        _clocks,
        _issuing,
        _refused,
        _damage,
        _next,
    )
    return [line for check in checks for line in check(found)]


def diagnose_silent(found: Found, refusal: Refusal) -> list[Line]:
    """Of a collector that answers nothing but its status just now, and says why."""
    lines = [line for check in (_collector, _storage, _listening, _damage) for line in check(found)]
    return [*lines, Line(FAIL, "does it answer", f"no: {refusal.message}", refusal.fix)]


def _collector(found: Found) -> Iterator[Line]:
    if found.status is None:
        yield Line(
            WARN, "is a collector running", f"no, this is the file {found.where}", "start `bindtrace serve`"
        )
    else:
        yield Line(OK, "is a collector running", f"yes, process {found.status['pid']} at {found.where}")


def _storage(found: Found) -> Iterator[Line]:
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


def _listening(found: Found) -> Iterator[Line]:
    endpoints = dict(found.status.get("endpoints", {})) if found.status else {}
    secured = set(found.status.get("secured", ())) if found.status else set()
    for name in sorted(endpoints):
        host = str(endpoints[name]).rpartition(":")[0].strip("[]")
        if not (host.startswith("127.") or host in ("::1", "localhost")) and name not in secured:
            yield Line(
                WARN, "who can reach it", f"{name} listens on {endpoints[name]}, in plaintext and for anyone",
                "listen on 127.0.0.1, or give it TLS and tokens",
            )  # fmt: skip


def _arriving(found: Found) -> Iterator[Line]:
    question = "are spans arriving"
    http = (found.status or {}).get("endpoints", {}).get("http", "127.0.0.1:4318")
    if not found.health:
        yield Line(FAIL, question, "none is stored", SEND.format(http=http))
        return
    spans = sum(row["spans"] for row in found.health)
    names = ", ".join(str(row["service"]) for row in found.health[:8])
    quiet_s = (found.now_unix_nano - max(int(row["last_received"]) for row in found.health)) / 1e9
    evidence = f"{spans:,} of {len(found.health)} service(s): {names}; the last {_ago(quiet_s)}"
    if found.status is not None and quiet_s > QUIET_S:
        yield Line(WARN, question, evidence, "see that the services still run and still export here")
    else:
        yield Line(OK, question, evidence)
    if unnamed := [row for row in found.health if str(row["service"]).startswith("unknown_service")]:
        yield Line(
            WARN, "do services say their names", f"{sum(row['spans'] for row in unnamed):,} spans have none",
            "set OTEL_SERVICE_NAME in each service",
        )  # fmt: skip


def _binding(found: Found) -> Iterator[Line]:
    if not found.health:
        return
    question = "do calls carry the binding header"
    authorities = {row["service"] for row in found.issuers}  # which call nobody
    calling = [row for row in found.instrumentation if row["service"] not in authorities]
    lacking = missing(calling, found.grants)
    # Workers cannot be told to, so nothing is wrong with them.
    for one in lacking:
        state = OK if one.lines == CLOUDFLARE else WARN
        yield Line(state, question, f"not from {_names(one.services)} ({one.sender})", one.lines)
    if not lacking:
        yield Line(OK, question, f"all {len(found.health)} service(s) do")


def _crossing(found: Found) -> Iterator[Line]:
    question = "does the trace context cross the bindings"
    stopped = list(broken(found.crossings, found.grants, found.instrumentation))
    for one in stopped:
        evidence = (
            f"{one.unanswered:,} of {one.calls:,} calls of {one.caller} by {one.binding} are not taken up by "
            f"{one.callee}, which does send spans"
        )
        yield Line(WARN, question, evidence, one.step)
    if found.crossings and not stopped:
        yield Line(OK, question, f"{sum(row['calls'] for row in found.crossings):,} calls by bindings do")


def _manifest(found: Found) -> Iterator[Line]:
    question = "does the manifest match the names seen"
    declared = {str(row[side]) for row in found.grants for side in ("caller", "callee")}
    declared |= {str(row["service"]) for row in found.services if row["exposure"] != "unknown"}
    if not declared:
        step = "serve --manifest vercel.json, or write grants into bindtrace.toml"
        yield Line(WARN, question, "there is no manifest, so no call is allowed or denied", step)
        return
    seen = {str(row["service"]) for row in found.services if row["spans"]}
    seen -= {str(row["service"]) for row in found.issuers}
    if not seen:
        return
    strangers, silent = sorted(seen - declared), sorted(declared - seen)
    if strangers:
        yield Line(
            WARN, question, f"seen and not declared: {_names(strangers)}",
            "declare them, or map them: [services.NAME] match = { \"service.name\" = \"…\" } in bindtrace.toml",
        )  # fmt: skip
    if silent:
        yield Line(
            WARN,
            question,
            f"declared and never seen: {_names(silent)}",
            "have them send spans, or rename them",
        )
    if not (strangers or silent):
        yield Line(OK, question, f"all {len(seen)} service(s) are declared")


def _parents(found: Found) -> Iterator[Line]:
    hops, orphans = (sum(row[key] for row in found.health) for key in ("hops", "orphans"))
    if not hops:
        return
    worst = max(found.health, key=lambda row: row["orphans"])
    evidence = f"{orphans:,} of {hops:,} calls name a parent that never came"
    if orphans > MISSING * hops:
        step = "see that its callers export too, and that no proxy drops traceparent"
        yield Line(WARN, "are parents missing", f"{evidence}, most at {worst['service']}", step)
    else:
        yield Line(OK, "are parents missing", evidence)


def _clocks(found: Found) -> Iterator[Line]:
    wrong = [row for row in found.health if row["lag_s"] is not None and not -CLOCK_S < row["lag_s"] < 3600]
    for row in wrong:
        side = "ahead of" if row["lag_s"] < 0 else "behind"
        yield Line(
            WARN, "are the clocks right", f"{row['service']} is {_ago(abs(row['lag_s']))[:-4]} {side} our clock",
            "synchronise the clocks of its machine, or ignore this for imported recordings",
        )  # fmt: skip
    if found.health and not wrong:
        yield Line(OK, "are the clocks right", "spans arrive within an hour of their end")


def _issuing(found: Found) -> Iterator[Line]:
    """`proven` and `forged-telemetry` are as good as the log of what was issued, which comes as spans do."""
    question = "can the issuance log be believed"
    if not found.issuers:
        return
    believed = [row for row in found.issuers if row["believed"] != "no"]
    if doubted := [row for row in found.issuers if row["believed"] == "no"]:
        step = "see who they are: of credentials only what a declared authority (`issuer = true`) sends itself counts"
        yield Line(WARN, question, f"not what {_told_by(doubted)}", step)
    if not believed:
        return
    evidence = _told_by(believed)
    secured = set(found.status.get("secured", ())) if found.status else set()
    if all(row["believed"] == "yes" for row in believed):
        yield Line(OK, question, evidence)
    elif len(believed) > 1:
        step = (
            "name your authority ([services.NAME] issuer = true in bindtrace.toml): "
            "whoever is none makes forged calls look proven"
        )
        yield Line(WARN, question, evidence, step)
    elif found.status is not None and not {"grpc", "http"} <= secured:
        step = "take spans from known senders only: serve --token-file or --tls-client-ca"
        yield Line(WARN, question, f"{evidence}; anybody who reaches the receivers could tell as much", step)
    else:
        step = "name it, so that no other sender is believed: [services.NAME] issuer = true in bindtrace.toml"
        yield Line(OK, question, evidence, step)


def _told_by(rows: Sequence[Row]) -> str:
    credentials = sum(row["credentials"] for row in rows)
    return f"{credentials:,} credential(s), told of by {_names([str(row['service']) for row in rows])}"


def _refused(found: Found) -> Iterator[Line]:
    question = "is anything rejected"
    lost = [
        row for row in found.senders if row["rejected"] or row["redacted"] or row["refused"] or row["quirks"]
    ]
    for row in lost:
        who = row["service"] or "a sender that could not be read"
        told = [f"{what} {_reasons(row[what])}" for what in ("rejected", "refused", "quirks") if row[what]]
        told += [f"redacted {row['redacted']:,} values"] if row["redacted"] else []
        state = WARN if row["rejected"] or row["refused"] or row["redacted"] else OK
        yield Line(
            state, question, f"{who} ({row['protocol']}): {'; '.join(told)}", "`bindtrace senders` has it all"
        )
    if not lost:
        yield Line(OK, question, "no")


def _damage(found: Found) -> Iterator[Line]:
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
    if not (found.quarantined or found.set_aside):
        yield Line(OK, "was anything damaged", "no")


def _next(found: Found) -> Iterator[Line]:
    bad = [row for row in found.findings if row["silenced_until"] is None]
    if found.health:
        evidence = f"{len(bad)} open finding(s)"
        yield Line(OK, "what to do next", evidence, "`bindtrace findings`" if bad else "`bindtrace chains`")


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _reasons(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {reason}".rstrip() for reason, number in list(counts.items())[:4])


def _ago(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(0.0, seconds):.0f} s ago"
