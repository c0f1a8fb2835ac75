"""Who may send: a bearer token of each sender, and the signature that drains put on their bodies. Logs no secret."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path

from bindtrace.propagation.errors import Refusal

SIGNATURE_HEADER = "x-vercel-signature"
_MIN_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Tokens:
    """Names of senders by the SHA-256 of their token. Empty: no token is asked for."""

    names: tuple[tuple[bytes, str], ...] = ()

    def name(self, authorization: str | None) -> str | None:
        """Whose `Authorization: Bearer …` it is, or None. Every token is compared, in constant time."""
        scheme, _, token = (authorization or "").partition(" ")
        given = hashlib.sha256(token.strip().encode("utf-8", "replace")).digest()
        found = None
        for digest, name in self.names:
            if hmac.compare_digest(digest, given):
                found = name
        return found if scheme.lower() == "bearer" else None

    def __bool__(self) -> bool:
        return bool(self.names)


def read_tokens(path: Path) -> Tokens:
    """Lines `name:token`; empty ones and those that begin with `#` are passed over. Raises `Refusal`."""
    names: dict[bytes, str] = {}
    for number, line in enumerate(_lines(path, "token"), 1):
        if not line or line.startswith("#"):
            continue
        name, colon, token = (part.strip() for part in line.partition(":"))
        if not colon or not name or len(token) < _MIN_TOKEN:
            raise Refusal(
                f"{path}:{number}: not a name and a token of {_MIN_TOKEN} characters at least",
                fix="write name:token, one a line, for example with `openssl rand -hex 16`",
            )
        if names.setdefault(hashlib.sha256(token.encode()).digest(), name) != name:
            raise Refusal(f"{path}:{number}: two names have the same token", fix="give each sender its own")
    if not names:
        raise Refusal(f"{path} holds no token", fix="write name:token, one a line")
    return Tokens(tuple(names.items()))


def read_secret(path: Path) -> bytes:
    """The drain's secret: the file without the white space around it. Raises `Refusal`."""
    secret = "\n".join(_lines(path, "drain secret")).strip().encode()
    if not secret:
        raise Refusal(f"{path} is empty", fix="put the drain's signature secret into it")
    return secret


class Signature:
    """The HMAC-SHA1 of a raw body in hex, fed by pieces, as Vercel's drains sign (vercel.com/docs/drains/security)."""

    def __init__(self, secret: bytes, given: str) -> None:
        self._mac = hmac.new(secret, digestmod=hashlib.sha1)
        self._given = given.strip().lower().encode("utf-8", "replace")

    def update(self, chunk: bytes) -> None:
        self._mac.update(chunk)

    def right(self) -> bool:
        """Whether the header fits all that was given. Compared in constant time."""
        return hmac.compare_digest(self._mac.hexdigest().encode(), self._given)


def _lines(path: Path, what: str) -> list[str]:
    try:
        return [line.strip() for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise Refusal(
            f"cannot read the {what} file {path}: {reason}", fix="name a file that can be read"
        ) from None
