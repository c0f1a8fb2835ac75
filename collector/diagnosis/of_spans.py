"""Whether spans arrive, whole and in time, and which evidence they lack to be joined into chains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from bindtrace.collector.diagnosis.answers import FAIL, OK, WARN, Found, Line, ago, in_calls, named
from bindtrace.collector.instrumenting import CLOUDFLARE, broken, missing
from bindtrace.propagation.wording import counted

QUIET_S: Final = 300
CLOCK_S: Final = 60
MISSING: Final = 0.05
"""Above this share of calls without their parent, chains are broken; below, a few are late or sampled."""
SEND: Final = "export OTEL_EXPORTER_OTLP_ENDPOINT=http://{http} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"


def arriving(found: Found) -> Iterator[Line]:
    """How many, of whom, how long ago, and under what names."""
    question = "are spans arriving"
    http = (found.status or {}).get("endpoints", {}).get("http", "127.0.0.1:4318")
    if not found.health:
        yield Line(FAIL, question, "none is stored", SEND.format(http=http))
        return
    spans = sum(row["spans"] for row in found.health)
    names = ", ".join(str(row["service"]) for row in found.health[:8])
    quiet_s = (found.now_unix_nano - max(int(row["last_received"]) for row in found.health)) / 1e9
    evidence = f"{counted(spans, 'span')} of {counted(len(found.health), 'service')}: {names}; the last {ago(quiet_s)}"
    if found.status is not None and quiet_s > QUIET_S:
        yield Line(WARN, question, evidence, "see that the services still run and still export here")
    else:
        yield Line(OK, question, evidence)
    if unnamed := [row for row in found.health if str(row["service"]).startswith("unknown_service")]:
        yield Line(
            WARN, "do services say their names", f"{sum(row['spans'] for row in unnamed):,} spans have none",
            "set OTEL_SERVICE_NAME in each service",
        )  # fmt: skip


def binding(found: Found) -> Iterator[Line]:
    """Who sends no binding header, and what to add there."""
    if not found.health:
        return
    question = "do calls carry the binding header"
    calling = in_calls(found)
    senders = [row for row in found.instrumentation if row["service"] in calling]
    lacking = missing(senders, found.grants)
    # Workers cannot be told to, so nothing is wrong with them.
    for one in lacking:
        state = OK if one.lines == CLOUDFLARE else WARN
        yield Line(state, question, f"not from {named(one.services)} ({one.sender})", one.lines)
    if calling and not lacking:
        yield Line(OK, question, f"yes, from {counted(len(calling), 'service')}")


def crossing(found: Found) -> Iterator[Line]:
    """Calls by a binding that its callee does not take up, though it sends spans."""
    question = "does the trace context cross the bindings"
    stopped = list(broken(found.crossings, found.grants, found.instrumentation))
    for one in stopped:
        evidence = (
            f"{one.unanswered:,} of {one.calls:,} calls of {one.caller} by {one.binding} are not taken up by "
            f"{one.callee}, which does send spans"
        )
        yield Line(WARN, question, evidence, one.step)
    if found.crossings and not stopped:
        yield Line(
            OK, question, f"{counted(sum(row['calls'] for row in found.crossings), 'call')} by bindings"
        )


def parents(found: Found) -> Iterator[Line]:
    """How many calls name a parent that never came."""
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


def clocks(found: Found) -> Iterator[Line]:
    """Whose spans come long after, or before, their own end."""
    wrong = [row for row in found.health if row["lag_s"] is not None and not -CLOCK_S < row["lag_s"] < 3600]
    by_distance: dict[str, list[str]] = {}  # a recording is as old in all of its services
    for row in wrong:
        side = "ahead of" if row["lag_s"] < 0 else "behind"
        by_distance.setdefault(f"{ago(abs(row['lag_s']))[:-4]} {side}", []).append(str(row["service"]))
    for distance, services in by_distance.items():
        are = "is" if len(services) == 1 else "are"
        yield Line(
            WARN, "are the clocks right", f"{named(services)} {are} {distance} our clock",
            "synchronise the clocks of their machines, or ignore this for imported recordings",
        )  # fmt: skip
    if found.health and not wrong:
        yield Line(OK, "are the clocks right", "spans arrive within an hour of their end")


def refused(found: Found) -> Iterator[Line]:
    """What receivers rejected, refused, redacted or found odd, by sender."""
    question = "is anything rejected"
    lost = [
        row for row in found.senders if row["rejected"] or row["redacted"] or row["refused"] or row["quirks"]
    ]
    for row in lost:
        who = row["service"] or "a sender that could not be read"
        told = [f"{what} {_reasons(row[what])}" for what in ("rejected", "refused", "quirks") if row[what]]
        told += [f"redacted {counted(row['redacted'], 'value')}"] if row["redacted"] else []
        state = WARN if row["rejected"] or row["refused"] or row["redacted"] else OK
        yield Line(
            state, question, f"{who} ({row['protocol']}): {'; '.join(told)}", "`bindtrace senders` has it all"
        )
    if not lost:
        yield Line(OK, question, "no")


def _reasons(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {reason}".rstrip() for reason, number in list(counts.items())[:4])
