"""A finding as a person reads it: what happened, how sure and why, what to do, how to check. Judges nothing."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from bindtrace.propagation.vocabulary import SEVERITIES
from bindtrace.propagation.wording import counted
from bindtrace.queries import cells
from bindtrace.queries.layout import Row
from bindtrace.queries.render import LABEL_CELLS, labelled
from bindtrace.queries.rules import RULES, explanation
from bindtrace.queries.word_styles import word_style

_GRADES: Final[Mapping[str, str]] = {
    "proven": "the receiver verified the caller, and a second witness confirms it",
    "verified": "the receiver's own check or the declaration itself says so",
    "claimed": "the services' own telemetry says so, and nobody verified it",
    "inferred": "put together from topology; no span says it outright",
    "contradicted": "two witnesses disagree, and one of them is wrong",
}
_CONFIDENCES: Final[Mapping[str, str]] = {
    "confirmed": "the callee's side and the caller's side both show the public road",
    "probable": "the caller's name and address both show the public road",
    "suspected": "one indicator alone shows the public road",
}


_KEPT: Final[Mapping[str, str]] = {
    "confirmed": "every trace was kept",
    "probable": "at least half of the traces were kept",
    "suspected": "fewer than half of the traces were kept",
}
"""The same words where silence is what a rule concludes from."""


def explain(findings: Sequence[Row], option: str = "", *, again: str = "") -> RenderableType:
    """A block per finding and a summary line.

    `option` is what the commands need to find the same data, as `--url http://127.0.0.1:4319`. `again` is the command
    that judged recorded files, of which nothing else can be asked.
    """
    return Group(explain_each(findings, option, again=again), Text(summary(findings), style="bold"))


def explain_each(findings: Sequence[Row], option: str = "", *, again: str = "") -> RenderableType:
    """The blocks alone, an empty line after each."""
    blocks: list[RenderableType] = []
    for finding in findings:
        blocks += [_header(finding), *_lines(finding, option, again), Text("")]
    return Group(*blocks)


def summary(findings: Sequence[Row]) -> str:
    """As `3 findings: 1 high, 2 medium`; silenced ones are counted apart."""
    counts = Counter(str(finding["severity"]) for finding in findings)
    ordered = [f"{counts[severity]} {severity}" for severity in SEVERITIES if counts[severity]]
    silenced = sum(finding.get("silenced_until") is not None for finding in findings)
    words = counted(len(findings), "finding")
    words += f": {', '.join(ordered)}" if ordered else ""
    return words + (f" ({silenced} silenced by an exception)" if silenced else "")


def _header(finding: Row) -> Text:
    severity = cells.plain(finding["severity"])
    calls = int(finding.get("count") or 0)
    facts = [
        *([] if finding.get("example") is None else [counted(calls, "call")]),
        *(cells.visible(finding[key]) for key in ("grade", "confidence") if finding.get(key)),
        *(["preview"] if (rule := RULES.get(finding["rule"])) and rule.status.startswith("preview") else []),
    ]
    return Text.assemble(
        (severity, word_style(severity)),
        "  ",
        (cells.visible(finding["rule"]), "bold"),
        "  ",
        subject(finding),
        (f"  ({', '.join(facts)})", "dim"),
    )


def subject(finding: Row) -> str:
    """`caller → callee`, with environments where the call crosses them; one name where there is but one."""
    names = [_name(finding, "caller"), _name(finding, "callee")]
    if finding.get("callee") is None:
        return names[0] if finding.get("caller") else ""
    return " → ".join(names)


def _name(finding: Row, side: str) -> str:
    name = cells.visible(finding.get(side) or cells.EXTERNAL)
    crosses = finding.get("caller_env") and finding.get("callee_env")
    if crosses and finding["caller_env"] != finding["callee_env"]:
        return f"{name} ({cells.visible(finding[f'{side}_env'])})"
    return name


def _lines(finding: Row, option: str, again: str) -> Iterator[RenderableType]:
    recorded = bool(again) and finding.get("example") is not None
    yield labelled(
        {
            "what happened": sentence(str(finding["message"]), finding),
            "how sure, why": how_sure(finding),
            "what to do": sentence(str(finding["fix"]), finding),
            "how to check": "record anew once it is fixed; this shows it no more:"
            if recorded
            else "once it is fixed, this shows nothing:",
        }
    )
    yield _copyable(again if recorded else check_command(finding, option))
    if where := cells.place(finding.get("source") or {}):
        yield _copyable(where, "where")
    rest = {}
    if (until := finding.get("silenced_until")) is not None:
        rest["silenced until"] = f"{cells.moment(until)} UTC"
    if (example := finding.get("example")) is not None:
        rest["example"] = f"trace {example['trace_id']}" if recorded else "the latest chain with it:"
    if rest:
        yield labelled(rest)
    if example is not None and not recorded:
        yield _copyable(_command(f"bindtrace chain {example['trace_id']}", option))


def _copyable(text: str, label: str = "") -> Text:
    """A command or a place on a line of its own, which is never broken."""
    named = (f"  {label}".ljust(LABEL_CELLS), "dim")
    return Text.assemble(named, cells.visible(text), no_wrap=True, overflow="ignore")


def how_sure(finding: Row) -> str:
    """The grade and confidence in words, why the rule is one, and when it may be wrong."""
    grade, confidence = str(finding.get("grade")), str(finding.get("confidence"))
    silent = finding["rule"] in RULES and not RULES[finding["rule"]].of_hops
    sure = [
        f"{word}: {texts[word]}"
        for word, texts in ((grade, _GRADES), (confidence, _KEPT if silent else _CONFIDENCES))
        if word in texts
    ]
    if finding["rule"] not in RULES:  # a newer collector knows more rules
        return sentence("; ".join(sure), finding)
    told = explanation(finding)
    doubt = told["may_be_wrong_when"]
    return " ".join(
        sentence(part, finding)
        for part in ("; ".join(sure), told["why"], f"May be wrong when {doubt}" if doubt else "")
        if part
    )


def check_command(finding: Row, option: str = "") -> str:
    """The rule's own command; names are quoted, because a service may call itself anything."""
    quoted: dict[str, Any] = dict(finding)
    quoted |= {"caller": shlex.quote(str(finding.get("caller") or cells.EXTERNAL))}
    quoted |= {"callee": shlex.quote(str(finding.get("callee") or cells.UNSEEN))}
    if source := finding.get("source"):
        quoted["source"] = {**source, "file": shlex.quote(str(source["file"]))}
    if finding["rule"] in RULES:
        command = explanation(quoted)["check"]
    else:
        sides = " ".join(f"--{side} {quoted[side]}" for side in ("caller", "callee") if finding.get(side))
        command = f"bindtrace findings --rule {shlex.quote(str(finding['rule']))} {sides} --since 10m"
    return command if command.startswith("bindtrace check") else _command(command, option)


def _command(command: str, option: str) -> str:
    return f"{command} {option}" if option else command


def sentence(text: str, finding: Row) -> str:
    """With a capital and a full stop; a service's name keeps its own spelling."""
    stripped = text.strip()
    first = stripped.partition(" ")[0].rstrip(":,.")
    named = first in (finding.get("caller"), finding.get("callee"))
    begun = stripped if named else stripped[:1].upper() + stripped[1:]
    return begun if begun.endswith((".", "?")) or not begun else f"{begun}."
