"""`bindtrace policy check`: may this caller make this call, and which line says so. Asks no database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
from rich.text import Text

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.options import format_option
from bindtrace.propagation.platforms import read_manifests
from bindtrace.propagation.policies import policies_of
from bindtrace.propagation.vocabulary import EXTERNAL
from bindtrace.propagation.workloads import Call, in_words
from bindtrace.queries import cells, render
from bindtrace.queries.asking import near_names
from bindtrace.queries.policy_commands.options import manifest_option
from bindtrace.queries.rejudging import Judged, rejudge
from bindtrace.queries.replaying import declared_at, place
from bindtrace.queries.word_styles import word_style

STATUS: Final = {"allowed": 0, "denied": 1}
COULD_NOT: Final = 2

_WHY: Final = {
    "declared": "a manifest declares it",
    "undeclared": "manifests speak of these services, and none lets this one call that one so",
    "no_manifest": "no manifest speaks of the caller or the callee",
    "forbidden": "a rule denies it",
    "route_not_allowed": "it may call it, but not by this method or path",
    "not_shown": "a rule asks for what neither METHOD, PATH, --protection nor --caller-id say here",
    "callee_unknown": "no manifest knows the callee",
    "caller_unknown": "no manifest knows the caller",
}


@click.command(short_help="May CALLER call CALLEE, and by which line?")
@click.argument("caller")
@click.argument("callee")
@click.argument("method", required=False)
@click.argument("path", required=False)
@manifest_option
@click.option("--env", metavar="NAME", help="The environment of both, as `production`.")
@click.option("--caller-env", metavar="NAME", help="The caller's environment, where it is another.")
@click.option("--protection", type=click.Choice(["mtls", "tls", "plaintext", "unknown"]), default="unknown",
              show_default=True, help="How the call is protected.")  # fmt: skip
@click.option(
    "--caller-id", metavar="ID", help="The identity that the caller's certificate proves, a SPIFFE ID."
)
@format_option(("table", "json"))
@click.pass_context
def check(
    ctx: click.Context,
    caller: str,
    callee: str,
    method: str | None,
    path: str | None,
    manifests: Sequence[Path],
    env: str | None,
    caller_env: str | None,
    protection: str,
    caller_id: str | None,
    form: str,
) -> None:
    """May CALLER call CALLEE (with METHOD at PATH)? And by which line?

    Exit status 0: allowed; 1: denied; 2: the manifests do not say. `(external)` as CALLER is a client from outside.
    """
    policy = read_manifests(manifests)
    if path is not None and not path.startswith("/"):
        raise click.BadParameter("a path begins with /", param_hint="PATH")
    call = {
        "scope": None,
        "caller": None if caller == EXTERNAL else caller,
        "caller_env": caller_env or env,
        "callee": callee,
        "callee_env": env,
        "kind": "call",
        "method": method and method.upper(),
        "path": path,
        "host": None,
        "protection": "mtls" if caller_id else protection,
        "peer_caller": caller_id,
        "from_outside": caller == EXTERNAL,
        "verdict": "unknown",
        "reason": None,
        "last_seen": str(now_unix_nano()),
    }
    (judged,) = rejudge([call], policy)
    file, line = place(judged, call, policy, declared_at(policy))
    answer = {
        "caller": call["caller"],
        "callee": callee,
        "method": call["method"],
        "path": path,
        "environment": env,
        "verdict": judged.verdict,
        "reason": judged.reason,
        "file": file,
        "line": line,
        "missing": _missing(call, judged, policy),
    }
    if form == "json":
        render.out(cells.json_safe(json.dumps(answer, ensure_ascii=False, indent=2)) + "\n")
    else:
        _tell(answer, judged, policy)
    ctx.exit(STATUS.get(judged.verdict, COULD_NOT))


def _tell(answer: Mapping[str, Any], judged: Judged, policy: Sequence[Manifest]) -> None:
    request = " ".join(cells.visible(word) for word in (answer["method"], answer["path"]) if word)
    render.show(
        Text.assemble(
            (judged.verdict, word_style(judged.verdict)),
            f"  {cells.caller(answer)} → {cells.visible(answer['callee'])}",
            f"  {request}" if request else "",
        ),
        prose=True,
    )
    told = {"why": f"{judged.reason}: {_WHY.get(judged.reason, 'as the receiver would answer')}"}
    if where := cells.place(answer):
        told["by" if judged.file or judged.verdict == "allowed" else "to change"] = where
    if answer["missing"]:
        told["not shown"] = ", ".join(answer["missing"])
    told |= dict(_others(answer, judged, policy))
    render.show(render.labelled(told), prose=True)


def _missing(call: Mapping[str, Any], judged: Judged, policy: Sequence[Manifest]) -> list[str] | None:
    """What a mesh's policy asks for that is not said here nor in the manifests, as service accounts in workloads."""
    if judged.reason != "not_shown":
        return None
    known = ("protection", "method", "path")
    asked = Call(
        call["callee"], call["caller"], caller_id=call["peer_caller"], **{name: call[name] for name in known}
    )
    return [in_words(field) for field in policies_of(policy).judge(asked).missing] or None


def _others(
    answer: Mapping[str, Any], judged: Judged, policy: Sequence[Manifest]
) -> Iterator[tuple[str, str]]:
    """What helps one who expected another answer: who may call the callee, and names that are nearly the same."""
    if judged.verdict == "allowed":
        return
    if answer["caller"] is None:
        opened = [x for manifest in policy for x in manifest.exposures if x.service == answer["callee"]]
        paths = ", ".join(f"{x.source} ({x.file}:{x.line})" for x in opened)
        yield "public paths", paths or f"none leads to {answer['callee']}"
        return
    grants = [grant for manifest in policy for grant in manifest.grants]
    allowed = sorted({f"{g.caller} ({g.file}:{g.line})" for g in grants if g.callee == answer["callee"]})
    if allowed:
        yield f"may call {answer['callee']}", ", ".join(allowed)
    known = {service.service for manifest in policy for service in manifest.services}
    known |= {name for grant in grants for name in (grant.caller, grant.callee)}
    for side in ("caller", "callee"):
        name = answer[side]
        if name is not None and name not in known and known:
            yield f"{side} unknown", f"no manifest names {name}; {near_names(name, sorted(known))}"
