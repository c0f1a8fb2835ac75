"""What is added to a call: the identity token, where it is needed a proof, and the receipt on the span. No I/O.

Only for declared targets, matched by scheme, host and port as configured; a call to anywhere else gets nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from opentelemetry import trace

from bindtrace.propagation import vocabulary as words
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.guard.headers import canonical
from bindtrace.propagation.guard.verdict import fingerprint
from bindtrace.propagation.identity import wpt
from bindtrace.propagation.identity.spiffe import Service
from bindtrace.propagation.identity.wpt import OtherTokens, token_hash
from bindtrace.propagation.workload.generation import Generation, HeldToken, TokenProof

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_OURS: Final = frozenset(name.encode() for name in (words.WIT_HEADER, words.WPT_HEADER))


class Origin(NamedTuple):
    """Scheme, host and port of a target, lower case."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Target:
    """A declared callee. `proof`: `mtls` where TLS ends at the callee itself, `wpt` behind a proxy or in plaintext.

    `sign_url` adds the URL to the proof (`htu`), for receivers that know their own.
    """

    callee: Service
    proof: TokenProof = "mtls"
    sign_url: bool = False


def origin_of(url: str) -> Origin:
    """Raises Refusal for a URL without scheme or host."""
    parts = urlsplit(url)
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    if not parts.scheme or not parts.hostname or not port:
        raise Refusal(f"`{url}` names no origin", fix="give scheme and host, such as https://inventory:8443.")
    return Origin(parts.scheme.lower(), parts.hostname.lower(), port)


def held(generation: Generation, target: Target) -> HeldToken:
    """The token for a target. Raises Refusal (`credential_unavailable`): the call fails here, before it leaves."""
    wanted: tuple[TokenProof, ...] = ("mtls", "wpt") if target.proof == "mtls" else ("wpt",)
    for proof in wanted:
        if token := generation.tokens.get((target.callee, proof)):
            return token
    raise Refusal(
        f"credential_unavailable: {generation.workload} has no {target.proof} token for {target.callee}",
        fix="declare the binding, and register it at the authority.",
    )


class Added(NamedTuple):
    """Headers to send, and the attributes of the call's receipt."""

    headers: tuple[tuple[str, str], ...]
    receipt: Mapping[str, str | int]


def sign(
    generation: Generation,
    target: Target,
    *,
    method: str,
    url: str,
    other_headers: Mapping[str, str],
    now_s: float,
) -> Added:
    """For one attempt of one request: a retry is signed anew. Raises Refusal without a token for the target."""
    token = held(generation, target)
    headers = [(words.WIT_HEADER, token.text)]
    receipt: dict[str, str | int] = {
        words.BINDING_ID: token.claims.granted.binding,
        words.TARGET_ID: str(target.callee),
        words.CREDENTIAL_SHA256: fingerprint(token.claims.jti),
        words.GENERATION: generation.number,
    }
    if token.proof == "wpt":
        proof = wpt.issue(
            token.text,
            generation.signing_key,
            callee=target.callee,
            method=method,
            now_s=int(now_s),
            tokens=_covered(other_headers),
            url=url.partition("?")[0].partition("#")[0] if target.sign_url else None,
        )
        headers.append((words.WPT_HEADER, proof))
        receipt[words.PROOF_SHA256] = fingerprint(proof)
    return Added(tuple(headers), receipt)


def _covered(headers: Mapping[str, str]) -> OtherTokens:
    """`headers` by lower-case name."""
    authorization = headers.get("authorization", "")
    bearer = authorization[7:] if authorization[:7].lower() == "bearer " else None
    transaction = headers.get(words.TXN_TOKEN_HEADER)
    return OtherTokens(
        None if bearer is None else token_hash(bearer),
        None if transaction is None else token_hash(transaction),
    )


def stamp(receipt: Mapping[str, str | int]) -> None:
    """On the call's own span, which the instrumentation around us has made current."""
    trace.get_current_span().set_attributes(dict(receipt))


def without_ours(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """A caller's own headers of our names, by any spelling, never leave."""
    return [(name, value) for name, value in headers if canonical(name) not in _OURS]
