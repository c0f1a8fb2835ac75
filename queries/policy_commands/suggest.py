"""`bindtrace policy suggest`: the least that the manifests must grant for the calls that were seen, as a patch."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.platforms import read_manifest, read_manifests
from bindtrace.propagation.vocabulary import GRADES
from bindtrace.propagation.wording import counted
from bindtrace.queries import cells, least_privilege, render
from bindtrace.queries.asking import nothing, source_of
from bindtrace.queries.least_privilege import WRITERS, Edited
from bindtrace.queries.options import TABLE_FORMATS, Asked, common
from bindtrace.queries.policy_commands.options import manifest_option
from bindtrace.queries.replaying import calls_of
from bindtrace.queries.source import Row

FORMATS: Final = ("patch", *TABLE_FORMATS)


ISTIO_FILE: Final = "bindtrace-policies.yaml"


@click.command(short_help="A patch that grants just the calls that were seen.")
@click.option("--platform", type=click.Choice(["istio"]),
              help="Write AuthorizationPolicies of Istio into a new file, instead of editing manifests.")  # fmt: skip
@manifest_option
@click.option("--min-grade", type=click.Choice(GRADES), default="claimed", show_default=True,
              help="Grant only calls that are as sure as this, or surer.")  # fmt: skip
@click.option("--keep-unused", is_flag=True, help="Leave grants that no stored call used.")
@common(FORMATS)
def suggest(
    asked: Asked, manifests: Sequence[Path], platform: str | None, min_grade: str, keep_unused: bool
) -> None:
    """Edit the manifests so that they grant the calls that were seen, and no others.

    Writes a patch for `patch -p1` or `git apply`, in the platform's own syntax; what it does not touch stays to the
    byte. Look at each line before you apply it: a call that should never have been made was seen too.
    For Istio, the manifests tell namespaces, labels and service accounts.
    """
    policy = read_manifests(manifests)
    # Edited is what each file says for itself, not what the files mean together.
    files = [] if platform else [read_manifest(Path(manifest.file)) for manifest in policy]
    texts = {manifest.file: Path(manifest.file).read_bytes().decode("utf-8") for manifest in files}
    if not platform and not any(manifest.platform in WRITERS for manifest in files):
        raise Refusal(
            "none of these manifests can be edited",
            fix=f"name one of {', '.join(WRITERS)}, or write new policies with --platform istio",
        )
    with source_of(asked) as source:
        calls = calls_of(source, asked.query(), policy)
        where = source.describe()
    needed, unsure = least_privilege.needed_of(calls, min_grade)
    if platform:
        edited, without = least_privilege.for_istio(ISTIO_FILE, policy, needed, unsure, calls)
        standing = [
            one for manifest in policy for one in manifest.policies if one.action == "allow" and one.enforced
        ]
        for one in standing:
            render.say(
                f"{one.file}:{one.line}: {one.name} lets in its callers too, as long as it stands beside these"
            )
    else:
        # A call that is not sure enough to be granted is sure enough not to lose its grant.
        used = None if keep_unused else [*needed, *(one.needed for one in unsure)]
        edited, without = least_privilege.suggested(texts, files, needed, used)
    rows = least_privilege.rows_of(edited, [*unsure, *without])
    if asked.form == "patch":
        render.out("".join(map(patch, edited)))
        for row in rows:
            render.say(_line(row))
    elif rows or asked.form != "table":
        render.emit("policy-suggest", rows, asked.form, least_privilege.KEYS)
    days = max((call.days for call in needed), default=0)
    observed = f"{counted(sum(call.calls for call in needed), 'call')} on {counted(days, 'day')}"
    told = f"{observed} need {counted(len(needed), 'grant')}"
    render.say(told if calls else nothing(asked, "calls", {}, where))


def patch(one: Edited) -> str:
    """A unified diff that `patch -p1` and `git apply` read; empty where nothing changes."""
    name = one.manifest.file.lstrip("/")
    old = f"a/{name}" if one.before else "/dev/null"
    lines = difflib.unified_diff(
        one.before.splitlines(keepends=True), one.after.splitlines(keepends=True), old, f"b/{name}"
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _line(row: Row) -> str:
    seen = "" if row["calls"] is None else f"{row['calls']:,} calls, {row['grade']}; "
    binding = f" by {row['binding']}" if row["binding"] else ""
    at = cells.place(row)
    return f"{row['change']} {row['caller']} → {row['callee']}{binding}: {seen}{row['why']}" + (
        f" ({at})" if at else ""
    )
