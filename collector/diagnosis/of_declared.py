"""Whether what is declared and who is seen agree: the manifest's names, and who tells of issued credentials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bindtrace.collector.diagnosis.answers import OK, WARN, Found, Line, Row, in_calls, named
from bindtrace.propagation.wording import counted


def manifest(found: Found) -> Iterator[Line]:
    """Who is seen and not declared, or declared and never seen."""
    question = "does the manifest match the names seen"
    declared = {str(row[side]) for row in found.grants for side in ("caller", "callee")}
    declared |= {str(row["service"]) for row in found.services if row["exposure"] != "unknown"}
    if not declared:
        step = "bindtrace serve --manifest vercel.json, or write grants into bindtrace.toml"
        yield Line(WARN, question, "there is no manifest, so no call is allowed or denied", step)
        return
    seen = {str(row["service"]) for row in found.services if row["spans"]}
    if not seen:
        return
    strangers, silent = sorted((seen & in_calls(found)) - declared), sorted(declared - seen)
    if strangers:
        yield Line(
            WARN, question, f"seen and not declared: {named(strangers)}",
            "declare them, or map them: [services.NAME] match = { \"service.name\" = \"…\" } in bindtrace.toml",
        )  # fmt: skip
    if silent:
        yield Line(
            WARN,
            question,
            f"declared and never seen: {named(silent)}",
            "have them send spans, or rename them",
        )
    if not (strangers or silent):
        yield Line(OK, question, f"{counted(len(seen), 'service')} seen, all declared")


def issuing(found: Found) -> Iterator[Line]:
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
    return f"{counted(credentials, 'credential')}, told of by {named([str(row['service']) for row in rows])}"
