"""What a policy asks of a call, and whether the call shows it: yes, no, or unknown with what is not shown. No I/O.

A condition is a small tree of tests. Kleene's logic joins them, so a part that no span can show makes the answer
unknown only where it matters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from bindtrace.propagation.matching import Matcher, matches

Op = Literal["every", "either", "negation", "test", "named", "hidden"]


class Nothing(Enum):
    """The call is known not to have it: no caller identity on a plaintext call. Absence that was observed."""

    NOTHING = "nothing"


NOTHING: Final = Nothing.NOTHING


class Known(NamedTuple):
    """One call: field → value. A field that is not in it is not shown, which is not the same as `NOTHING`.

    `definitions` are the conditions that others name (a Linkerd `Server`, an authentication).
    """

    values: Mapping[str, str | Nothing]
    definitions: Mapping[str, Condition] = MappingProxyType({})


class Answer(NamedTuple):
    """`holds` None: unknown, for want of what `missing` names."""

    holds: bool | None
    missing: frozenset[str] = frozenset()


YES: Final = Answer(True)
NO: Final = Answer(False)


@dataclass(frozen=True, slots=True)
class Condition:
    """`every` and `either` of its parts, the `negation` of its one part, a `test`, or what is `hidden` from spans.

    A test holds where the call's `field` is as one of the matchers says; `named` is the definition of that name.
    """

    op: Op
    field: str = ""
    matchers: tuple[Matcher, ...] = ()
    parts: tuple[Condition, ...] = ()

    def answer(self, known: Known) -> Answer:
        """Whether a call of which this is known meets it."""
        return _ANSWERS[self.op](self, known)

    def fields(self, definitions: Mapping[str, Condition] = MappingProxyType({})) -> frozenset[str]:
        """Every field of a call that it asks for, and those of the definitions that it names."""
        if self.op == "named":
            defined = definitions.get(self.field)
            return frozenset() if defined is None else defined.fields(definitions)
        own = {self.field} if self.op == "test" else set()
        return frozenset(own.union(*(part.fields(definitions) for part in self.parts)))

    def as_json(self) -> list[Any]:
        """Lists and texts only; `from_json` reads it."""
        if self.op == "test":
            return [self.op, self.field, [[m.kind, m.text, m.ignore_case] for m in self.matchers]]
        return [self.op, self.field] if self.op in _LEAVES else [self.op, [p.as_json() for p in self.parts]]

    def __str__(self) -> str:
        return _WORDS[self.op](self)


def every(*parts: Condition) -> Condition:
    """All of them; of none, that is always."""
    return parts[0] if len(parts) == 1 else Condition("every", parts=parts)


def either(*parts: Condition) -> Condition:
    """At least one of them; of none, that is never."""
    return parts[0] if len(parts) == 1 else Condition("either", parts=parts)


def negation(part: Condition) -> Condition:
    return Condition("negation", parts=(part,))


def test(field: str, *matchers: Matcher) -> Condition:
    return Condition("test", field, matchers)


def hidden(what: str) -> Condition:
    """Asked for, but nothing that a span shows."""
    return Condition("hidden", what)


def named(definition: str) -> Condition:
    """What is defined by that name, wherever that stands; unknown where it stands nowhere."""
    return Condition("named", definition)


_LEAVES: Final = ("named", "hidden")
ALWAYS: Final = every()
NEVER: Final = either()


def from_json(value: list[Any]) -> Condition:
    """The condition that `as_json` wrote."""
    op, what = value[0], value[1]
    if op == "test":
        return test(what, *(Matcher(*matcher) for matcher in value[2]))
    return Condition(op, what) if op in _LEAVES else Condition(op, parts=tuple(map(from_json, what)))


def _every(condition: Condition, known: Known) -> Answer:
    return _joined(condition, known, decisive=False)


def _either(condition: Condition, known: Known) -> Answer:
    return _joined(condition, known, decisive=True)


def _joined(condition: Condition, known: Known, *, decisive: bool) -> Answer:
    missing: frozenset[str] = frozenset()
    unknown = False
    for part in condition.parts:
        answer = part.answer(known)
        if answer.holds is decisive:
            return answer
        if answer.holds is None:
            unknown, missing = True, missing | answer.missing
    return Answer(None, missing) if unknown else Answer(not decisive)


def _negation(condition: Condition, known: Known) -> Answer:
    answer = condition.parts[0].answer(known)
    return answer if answer.holds is None else Answer(not answer.holds)


def _test(condition: Condition, known: Known) -> Answer:
    value = known.values.get(condition.field)
    if value is None:
        return Answer(None, frozenset({condition.field}))
    if value is NOTHING:
        return NO
    results = {matches(matcher, str(value)) for matcher in condition.matchers}
    if True in results:
        return YES
    return Answer(None, frozenset({f"{condition.field} by a regular expression"})) if None in results else NO


def _named(condition: Condition, known: Known) -> Answer:
    definition = known.definitions.get(condition.field)
    return _hidden(condition, known) if definition is None else definition.answer(known)


def _hidden(condition: Condition, known: Known) -> Answer:
    return Answer(None, frozenset({condition.field}))


_ANSWERS: Final[Mapping[Op, Callable[[Condition, Known], Answer]]] = {
    "every": _every,
    "either": _either,
    "negation": _negation,
    "test": _test,
    "named": _named,
    "hidden": _hidden,
}


def _listed(condition: Condition, joint: str) -> str:
    return joint.join(
        f"({part})" if part.op in ("every", "either") and len(part.parts) > 1 else str(part)
        for part in condition.parts
    )


_WORDS: Final[Mapping[Op, Callable[[Condition], str]]] = {
    "every": lambda c: _listed(c, " and ") or "any",
    "either": lambda c: _listed(c, " or ") or "none",
    "negation": lambda c: f"not ({c.parts[0]})",
    "test": lambda c: f"{c.field}={'|'.join(map(str, c.matchers))}",
    "named": lambda c: c.field,
    "hidden": lambda c: f"{c.field} (not shown)",
}
