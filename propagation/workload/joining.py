"""The file that a workload joins an authority with: where it is, by what it is known, and a secret that works once."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.authority.key_files import read_private, write_private
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.identity import bundle as bundles
from bindtrace.propagation.identity.bundle import Bundle
from bindtrace.propagation.identity.encoding import read_object
from bindtrace.propagation.identity.spiffe import Workload, parse_workload


@dataclass(frozen=True, slots=True, repr=False)
class Invitation:
    """`address` is `unix:PATH` or `HOST:PORT`; `bundle` is the trust that the first connection starts from."""

    address: str
    workload: Workload
    secret: str
    bundle: Bundle


def write(path: Path, invitation: Invitation) -> None:
    """A new private file. Raises Refusal where there is one already."""
    document = {
        "address": invitation.address,
        "workload": str(invitation.workload),
        "secret": invitation.secret,
        "bundle": base64.b64encode(bundles.serialize(invitation.bundle)).decode("ascii"),
    }
    write_private(path, json.dumps(document, indent=1).encode("ascii"))


def read(path: Path) -> Invitation:
    """Raises Refusal for a file that others can read, or that is no invitation."""
    document = read_object(read_private(path, bundles.MAX_BUNDLE_BYTES * 2, "bindtrace authority issue"))
    fix = "make one with `bindtrace authority issue --out FILE`."
    if isinstance(document, Absent) or not all(isinstance(value, str) for value in document.values()):
        raise Refusal(f"`{path}` is no invitation of an authority", fix=fix)
    workload = parse_workload(document.get("workload", ""))
    if isinstance(workload, Absent) or not {"address", "secret", "bundle"} <= document.keys():
        raise Refusal(f"`{path}` names no workload, address or secret", fix=fix)
    try:
        content = base64.b64decode(document["bundle"], validate=True)
    except ValueError:
        content = b""
    bundle = bundles.parse(content, workload.trust_domain)
    if isinstance(bundle, Absent):
        raise Refusal(f"`{path}` has no trust bundle", fix=fix)
    return Invitation(document["address"], workload, document["secret"], bundle)
