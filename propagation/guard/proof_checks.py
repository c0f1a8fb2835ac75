"""The proof token of one request. An ordered table of reasons; the last two ask the replay cache."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Final, Literal

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.guard.call_checks import Call
from bindtrace.propagation.guard.headers import canonical
from bindtrace.propagation.guard.memory import ReplayCache
from bindtrace.propagation.guard.tables import refused
from bindtrace.propagation.guard.token_checks import LEEWAY_S
from bindtrace.propagation.identity import wpt as wpts
from bindtrace.propagation.identity.jose import verifies
from bindtrace.propagation.identity.wpt import OtherTokens, Wpt, token_hash
from bindtrace.propagation.vocabulary import TXN_TOKEN_HEADER

_BEARER: Final = b"bearer "


class Proof:
    """The proof of one request being checked; `wpt` is there once it is well formed."""

    wpt: Wpt

    def __init__(
        self, text: str | None, wit_text: str, call: Call, replay: ReplayCache, now_s: float
    ) -> None:
        self.text, self.wit_text, self.call = text, wit_text, call
        self.replay_cache, self.now_s = replay, now_s

    def well_formed(self) -> bool:
        wpt = wpts.parse(self.text or "")
        if isinstance(wpt, Absent):
            return False
        self.wpt = wpt
        return True

    def in_time(self) -> bool:
        since_s, until_s = self.wpt.issued_at_s, self.wpt.expires_s
        return (
            since_s <= self.now_s + LEEWAY_S
            and self.now_s - LEEWAY_S < until_s <= self.now_s + wpts.MAX_LIFE_S
            and 0 < until_s - since_s <= wpts.MAX_LIFE_S
        )

    def is_for_this_url(self) -> bool:
        """Only where the receiver knows its own address: `Host` and `X-Forwarded-*` are anybody's word."""
        base_url = self.call.receiver.base_url
        return base_url is None or self.wpt.url == base_url.rstrip("/") + self.call.request.path

    def covers_the_other_tokens(self) -> bool:
        return self.wpt.tokens == _other_tokens(self.call)

    @cached_property
    def use(self) -> Literal["new", "seen", "full"]:
        until_s = self.wpt.expires_s + LEEWAY_S
        return self.replay_cache.take(self.call.wit.key.thumbprint, self.wpt.jti, until_s, self.now_s)

    @property
    def replay_is_refused(self) -> bool:
        return self.call.binding is None or self.call.binding.replay == "refuse"


def _other_tokens(call: Call) -> OtherTokens:
    """The tokens that this request really carries; a header that is there twice has a hash nobody can give."""
    values: dict[bytes, list[bytes]] = {}
    for name, value in call.request.headers:
        values.setdefault(canonical(name), []).append(value.strip(b" \t"))

    def hashed(name: str, value: Callable[[bytes], bytes | None] = lambda value: value) -> str | None:
        given = [kept for value_of in values.get(name.encode(), ()) if (kept := value(value_of)) is not None]
        return "" if len(given) > 1 else token_hash(given[0].decode("latin-1")) if given else None

    others = {name: hashed(name) for name in call.receiver.other_tokens}
    return OtherTokens(
        hashed("authorization", lambda value: value[7:] if value[:7].lower() == _BEARER else None),
        hashed(TXN_TOKEN_HEADER),
        {name: value for name, value in others.items() if value is not None},
    )


PROOF: Final[list[tuple[str, Callable[[Proof], bool]]]] = [
    ("pop_missing", lambda proof: proof.text is not None),
    ("pop_malformed", Proof.well_formed),
    ("pop_key_mismatch", lambda proof: verifies(proof.wpt.compact, proof.call.wit.key)),
    ("pop_audience_mismatch", lambda proof: proof.wpt.audience == str(proof.call.receiver.service)),
    ("pop_expired", Proof.in_time),
    ("pop_wit_mismatch", lambda proof: proof.wpt.wit_hash == token_hash(proof.wit_text)),
    ("pop_token_mismatch", Proof.covers_the_other_tokens),
    ("pop_method_mismatch", lambda proof: proof.wpt.method == proof.call.request.method),
    ("pop_uri_mismatch", Proof.is_for_this_url),
    ("pop_replayed", lambda proof: proof.use != "seen" or not proof.replay_is_refused),
    ("pop_cache_saturated", lambda proof: proof.use != "full"),
]


def refused_proof(proof: Proof) -> str | None:
    """The reason why the proof is not one of this request, if there is one."""
    return refused(PROOF, proof)
