"""The `Service-Binding` header: one RFC 9651 item, text in, value out. No I/O; a claim, never a credential.

    Service-Binding: orders.ledger;caller="orders";callee="ledger";chain="5b8efff798038103d269b633813fc60c";hop=2

The bare item is for people who read logs; the parameters are what counts. Vectors for any language are in
`tests/vectors/service_binding.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from bindtrace.propagation.absent import Absent

MAX_BYTES: Final = 1024
MAX_HOP: Final = 64


@dataclass(frozen=True, slots=True)
class Binding:
    """What a caller claims about its call. `chain` is the trace id of the chain's first hop, `hop` counts from 1."""

    caller: str
    chain: str
    callee: str | None = None
    env: str | None = None
    deployment: str | None = None
    hop: int | None = None


class _Bare(NamedTuple):
    """A bare item: its RFC 9651 type in lower case, and its text without quotes and escapes."""

    type: str
    text: str


_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*")
_TEXT = re.compile(r"[\x20-\x7e]+")
_CHAIN = re.compile(r"(?!0{32})[0-9a-f]{32}")
# RFC 9651 section 4.2.3.1; a sign or digit too many is left over, and what is left over is malformed.
_BARE = re.compile(
    r"""(?P<string>"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*")
      | (?P<token>[A-Za-z*][!\#$%&'*+.^_`|~0-9A-Za-z:/-]*)
      | (?P<decimal>-?[0-9]{1,12}\.[0-9]{1,3})
      | (?P<integer>-?[0-9]{1,15})
      | (?P<bytes>:[A-Za-z0-9+/=]*:)
      | (?P<boolean>\?[01])
      | (?P<date>@-?[0-9]{1,15})
      | (?P<display>%"(?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*")""",
    re.VERBOSE,
)
_TRUE = _Bare("boolean", "?1")

_STRINGS: Final = ("caller", "callee", "env", "deployment")
_REQUIRED: Final = ("caller", "chain")


def parse(lines: Sequence[str]) -> Binding | Absent:
    """The claim in a request's `Service-Binding` lines, one element per header line. Never raises.

    Reasons of absence: `missing`, `duplicate` (two lines, or two joined by a comma), `too_long` (over 1,024
    bytes), `malformed` (not an RFC 9651 item), `not_a_name` (the bare item is neither token nor string),
    `no_caller`, `no_chain`, and `bad_NAME` where a parameter of ours has a wrong type or value.
    """
    if not lines:
        return Absent("missing")
    if len(lines) > 1:
        return Absent("duplicate")
    line = lines[0]
    if len(line) > MAX_BYTES:
        return Absent("too_long")
    item = _parse_item(line.strip(" "))
    return item if isinstance(item, Absent) else _read(*item)


def serialize(binding: Binding) -> str:
    """The header's value. Raises ValueError for what it cannot carry: no name, not ASCII, over 1,024 bytes."""
    name = binding.caller if binding.callee is None else f"{binding.caller}.{binding.callee}"
    parts = [name if _TOKEN.fullmatch(name) else _quoted(name)]
    for key in _STRINGS:
        value = getattr(binding, key)
        if value is not None:
            parts.append(f"{key}={_quoted(value)}")
    if not _CHAIN.fullmatch(binding.chain):
        raise ValueError(f"chain {binding.chain!r} is not a trace id of 32 lower-case hex digits")
    parts.append(f'chain="{binding.chain}"')
    if binding.hop is not None:
        if not 1 <= binding.hop <= MAX_HOP:
            raise ValueError(f"hop {binding.hop} is not in 1..{MAX_HOP}")
        parts.append(f"hop={binding.hop}")
    line = ";".join(parts)
    if len(line) > MAX_BYTES:
        raise ValueError(f"a Service-Binding header of {len(line)} bytes is over {MAX_BYTES}")
    return line


def _quoted(text: str) -> str:
    if not _TEXT.fullmatch(text):
        raise ValueError(f"{text!r} cannot be an RFC 9651 string: printable ASCII, not empty")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _parse_item(line: str) -> tuple[_Bare, dict[str, _Bare]] | Absent:
    """RFC 9651 section 4.2.3: a bare item and its parameters, the last of a repeated key winning."""
    name, at = _parse_bare(line, 0)
    parameters: dict[str, _Bare] = {}
    while name and at < len(line):
        if line[at:].lstrip(" \t").startswith(","):
            return Absent("duplicate")
        if line[at] != ";":
            return Absent("malformed")
        at += 1 + len(line[at + 1 :]) - len(line[at + 1 :].lstrip(" "))
        key = _KEY.match(line, at)
        if key is None:
            return Absent("malformed")
        at = key.end()
        value: _Bare | None = _TRUE
        if line.startswith("=", at):
            value, at = _parse_bare(line, at + 1)
        if value is None:
            return Absent("malformed")
        parameters[key.group()] = value
    return (name, parameters) if name else Absent("malformed")


def _parse_bare(line: str, at: int) -> tuple[_Bare | None, int]:
    found = _BARE.match(line, at)
    if found is None or found.lastgroup is None:
        return None, at
    text = found.group()
    if found.lastgroup == "string":
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return _Bare(found.lastgroup, text), found.end()


def _read(name: _Bare, parameters: Mapping[str, _Bare]) -> Binding | Absent:
    if name.type not in ("token", "string"):
        return Absent("not_a_name")
    for key in _REQUIRED:
        if key not in parameters:
            return Absent(f"no_{key}")
    for key in _STRINGS:
        if key in parameters and (parameters[key].type != "string" or not parameters[key].text):
            return Absent(f"bad_{key}")
    chain, hop = parameters["chain"], parameters.get("hop")
    if chain.type != "string" or not _CHAIN.fullmatch(chain.text):
        return Absent("bad_chain")
    if hop is not None and (hop.type != "integer" or not 1 <= int(hop.text) <= MAX_HOP):
        return Absent("bad_hop")
    strings = {key: parameters[key].text if key in parameters else None for key in _STRINGS}
    return Binding(
        caller=parameters["caller"].text,
        chain=chain.text,
        callee=strings["callee"],
        env=strings["env"],
        deployment=strings["deployment"],
        hop=None if hop is None else int(hop.text),
    )
