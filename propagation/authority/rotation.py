"""When a key is prepared, activated and removed. Pure: keys and time in, steps out; the invariants are code.

A key is *published* from its creation (it is in every bundle), *active*
once it signs, *retired* when a younger one signs, and leaves the bundle when nothing it signed can be valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["ca", "token"]


@dataclass(frozen=True, slots=True)
class Lives:
    """All spans of time of an authority, in seconds. Raises ValueError where they do not fit together (I2)."""

    ca_s: int = 7 * 86_400
    token_key_s: int = 7 * 86_400
    leaf_s: int = 3600
    token_s: int = 900
    skew_s: int = 30
    refresh_s: int = 60
    publish_s: int = 300

    def __post_init__(self) -> None:
        if min(self.leaf_s, self.token_s, self.skew_s, self.refresh_s, self.publish_s) <= 0:
            raise ValueError("every life is at least a second")
        if self.publish_s < 3 * self.refresh_s:
            raise ValueError(f"publish_s={self.publish_s} is below three refreshes of {self.refresh_s} s")
        for name, life_s, signed_s in (
            ("ca_s", self.ca_s, self.leaf_s),
            ("token_key_s", self.token_key_s, self.token_s),
        ):
            if life_s < 6 * (signed_s + self.skew_s) or life_s < 6 * self.publish_s:
                raise ValueError(
                    f"{name}={life_s} is below six times what it signs ({signed_s} s + {self.skew_s} s skew) "
                    f"or six times publish_s={self.publish_s}"
                )  # fmt: skip

    def of_key(self, kind: Kind) -> int:
        return self.ca_s if kind == "ca" else self.token_key_s

    def of_signed(self, kind: Kind) -> int:
        return self.leaf_s if kind == "ca" else self.token_s


@dataclass(frozen=True, slots=True)
class Key:
    """One key of one kind by its times; `activated_s` None while it is only published."""

    kind: Kind
    number: int
    created_s: int
    activated_s: int | None
    ends_s: int
    signed_until_s: int
    tainted: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """`prepare` makes the next key, `activate` lets `number` sign, `remove` takes it out of the bundle."""

    action: Literal["prepare", "activate", "remove"]
    kind: Kind
    number: int


def active(keys: Iterable[Key]) -> Key | None:
    """The one that signs: the youngest that was activated and is not tainted."""
    signing = [key for key in keys if key.activated_s is not None and not key.tainted]
    return max(signing, key=lambda key: key.number, default=None)


def plan(keys: Sequence[Key], kind: Kind, lives: Lives, now_s: int) -> list[Step]:
    """What is due for the keys of one kind. Carrying it out and planning again yields nothing more."""
    life_s = lives.of_key(kind)
    signing = active(keys)
    newest = max((key.number for key in keys), default=0)
    waiting = [key for key in keys if key.activated_s is None and not key.tainted]
    steps: list[Step] = []
    if not waiting and (signing is None or now_s >= signing.created_s + life_s // 2):
        steps.append(Step("prepare", kind, newest + 1))
    for key in waiting:
        first = not any(other.activated_s is not None for other in keys)
        published = now_s >= key.created_s + lives.publish_s  # I1
        late = signing is None or now_s >= signing.created_s + life_s * 5 // 6
        if first or (late and published) or (signing is None and _tainted(keys)):
            steps.append(Step("activate", kind, key.number))
    steps += [Step("remove", kind, key.number) for key in keys if _removable(key, signing, lives, now_s)]
    return steps


def _tainted(keys: Iterable[Key]) -> bool:
    """I8: where the signing key is compromised, its successor does not wait to be published."""
    return any(key.tainted for key in keys)


def _removable(key: Key, signing: Key | None, lives: Lives, now_s: int) -> bool:
    """I3: only once nothing it signed can be valid; a tainted one after one life of what it signed."""
    if signing is None or key.activated_s is None or key.number >= signing.number:
        return False
    if key.tainted and signing.activated_s is not None:
        return now_s >= signing.activated_s + lives.of_signed(key.kind)
    return now_s > key.signed_until_s + lives.skew_s


def may_sign(key: Key, until_s: int, last_signature_s: int, now_s: int) -> str | None:
    """Why `key` must not sign something valid until `until_s`; None where it may.

    An issuer whose clock is behind its own last signature does not know what time it is.
    """
    if key.activated_s is None:
        return "the key is published, not active"
    if key.tainted:
        return "the key is tainted"
    if now_s < last_signature_s:
        return f"the clock is {last_signature_s - now_s} s behind the last signature"
    return "the key would end before what it signs" if until_s > key.ends_s else None


def broken(before: Sequence[Key], after: Sequence[Key], lives: Lives, now_s: int) -> list[str]:
    """The invariants that a change from `before` to `after` breaks, as sentences; empty where none is."""
    faults: list[str] = []
    kept = {(key.kind, key.number) for key in after}
    known = {(key.kind, key.number): key for key in before}
    ever_signed = {key.kind for key in before if key.activated_s is not None}
    for key in before:
        gone = (key.kind, key.number) not in kept
        if gone and not key.tainted and now_s <= key.signed_until_s + lives.skew_s:
            faults.append(f"I3: {key.kind} {key.number} leaves while something it signed can be valid")
    for key in after:
        was = known.get((key.kind, key.number))
        began = key.activated_s is not None and (was is None or was.activated_s is None)
        compromised = any(other.tainted for other in before if other.kind == key.kind)
        early = now_s < key.created_s + lives.publish_s
        if began and early and key.kind in ever_signed and not compromised:
            faults.append(f"I1: {key.kind} {key.number} signs before it was published long enough")
        if was is not None and was.created_s != key.created_s:
            faults.append(f"I6: {key.kind} {key.number} was made anew under its number")
    return faults
