"""Policies: ordered rules of meshes and proxies on who may call, and what they say of one call. No I/O, no clock.

One evaluator for Istio, Envoy's RBAC and Linkerd. A callee's policies stand in stages, and a call must pass each:
any clause of a `deny` stage that it meets ends it; an `allow` stage with a policy for this callee lets through only
what meets a clause; `require` asks for protection, and the most specific one counts; `external` asks somebody else.
What a call does not show makes the ruling unknown, and the ruling says what that was. Sources: istio/api
security/v1beta1 (order of evaluation), envoy/config/rbac/v3, linkerd.io/2/reference/authorization-policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from bindtrace.propagation.conditions import NO, YES, Answer, Condition, Known, either
from bindtrace.propagation.policy_index import PolicyIndex
from bindtrace.propagation.vocabulary import VERDICTS, Verdict
from bindtrace.propagation.workloads import IN_OWN_DOMAIN, OWN_DOMAIN, Call, Workload, Workloads

if TYPE_CHECKING:
    from bindtrace.propagation.manifest import Manifest

PolicyAction = Literal["require", "external", "deny", "allow", "audit"]
RulingReason = Literal["declared", "undeclared", "forbidden", "not_shown", "no_manifest"]


class Clause(NamedTuple):
    """One rule of a policy, and its line."""

    condition: Condition
    line: int


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy of a mesh or proxy. `applies` is asked of the callee; no clause at all is met by no call.

    `scope` is its namespace. A call must pass every stage of every platform. Within a stage only the policies of the
    highest `rank` that applies count.
    """

    platform: str
    scope: str
    name: str
    action: PolicyAction
    stage: int
    applies: Condition
    clauses: tuple[Clause, ...]
    file: str
    line: int
    rank: int = 0
    enforced: bool = True
    """False: a dry run or audit, which judges nothing."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A condition by the name under which policies ask for it, wherever they stand: `linkerd Server shop/web`."""

    name: str
    condition: Condition
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Ruling:
    """What policies say of a call. `policy` and `line` decided it; `missing`: what the call would have to show."""

    verdict: Verdict
    reason: RulingReason
    policy: Policy | None = None
    line: int = 0
    missing: tuple[str, ...] = ()


SILENT: Final = Ruling("unknown", "no_manifest")
"""No policy speaks of the callee."""


class Policies:
    """The policies that were read together, with the definitions and workloads that they name."""

    def __init__(
        self,
        policies: Iterable[Policy],
        definitions: Iterable[Definition] = (),
        workloads: Iterable[Workload] = (),
    ) -> None:
        def place(policy: Policy) -> tuple[str, int, str]:
            return policy.platform, policy.stage, policy.action

        enforced = tuple(sorted((p for p in policies if p.enforced and p.action in _STAGES), key=place))
        self.enforced: tuple[Policy, ...] = enforced
        """Those that judge, in the order that calls pass them."""
        self._definitions = {OWN_DOMAIN: IN_OWN_DOMAIN}
        for name, condition in dict.fromkeys((d.name, d.condition) for d in definitions):
            # What several files define by one name is any of it: the servers of a namespace.
            known = self._definitions.get(name)
            self._definitions[name] = condition if known is None else either(known, condition)
        self._stages = [PolicyIndex(tuple(group), self._definitions) for _, group in groupby(enforced, place)]
        self._workloads = Workloads(workloads)
        asked = [condition for p in enforced for condition in (p.applies, *(c.condition for c in p.clauses))]
        self.asks: frozenset[str] = frozenset().union(*(c.fields(self._definitions) for c in asked))
        """Every field of a call that some policy asks for; calls that differ in others get the same ruling."""

    def judge(self, call: Call) -> Ruling:
        """The ruling on one call: the worst that any stage says."""
        known = Known(self._workloads.facts(call, self.asks), self._definitions)
        stages = [found for stage in self._stages if (found := stage.candidates(known))]
        rulings = (_STAGES[stage[0].action](stage, known) for stage in stages)
        said = sorted((ruling for ruling in rulings if ruling is not None), key=_worst_first)
        return said[0] if said else SILENT


def policies_of(manifests: Iterable[Manifest]) -> Policies:
    """What all of these files say together."""
    given = tuple(manifests)
    return Policies(
        (policy for manifest in given for policy in manifest.policies),
        (definition for manifest in given for definition in manifest.definitions),
        (workload for manifest in given for workload in manifest.workloads),
    )


def _worst_first(ruling: Ruling) -> tuple[int, bool, bool, int]:
    # Of those that agree: a clause that the call meets says more than one that it does not, and of several stages
    # that let it through, the last had the word.
    allowing = ruling.policy is not None and ruling.policy.action == "allow"
    last = ruling.policy.stage if ruling.policy is not None and ruling.verdict == "allowed" else 0
    return VERDICTS.index(ruling.verdict), ruling.reason != "forbidden", not allowing, -last


class _Read(NamedTuple):
    """A policy beside what the call shows of it: whether it applies, the first clause that is met or may be."""

    policy: Policy
    applies: Answer
    meets: Answer
    line: int


def _read(policies: Iterable[Policy], known: Known) -> list[_Read]:
    """Those that apply or may."""
    found = []
    for policy in policies:
        applies = policy.applies.answer(known)
        if applies.holds is not False:
            found.append(_Read(policy, applies, *_first_met(policy, known)))
    return found


def _first_met(policy: Policy, known: Known) -> tuple[Answer, int]:
    answers = [(clause.condition.answer(known), clause.line) for clause in policy.clauses]
    for answer, line in answers:
        if answer.holds:
            return answer, line
    missing = frozenset().union(*(answer.missing for answer, _ in answers))
    if any(answer.holds is None for answer, _ in answers):
        return Answer(None, missing), next(line for answer, line in answers if answer.holds is None)
    return NO, policy.line


def _unknown(reads: Iterable[_Read]) -> Ruling:
    """Of those that decide, the first, with all that any of them would have to be shown."""
    reads = list(reads)
    missing = frozenset().union(*(read.applies.missing | read.meets.missing for read in reads))
    return Ruling("unknown", "not_shown", reads[0].policy, reads[0].line, tuple(sorted(missing)))


def _through_allow(stage: Sequence[Policy], known: Known) -> Ruling | None:
    """Through where a policy that applies is met; silent where none applies."""
    reads = sorted(_together(_read(stage, known)), key=lambda read: -read.policy.rank)
    return _by_rank([list(group) for _, group in groupby(reads, lambda read: read.policy.rank)])


def _together(reads: Iterable[_Read]) -> list[_Read]:
    """Policies for just the same callees are one: whether they apply or not, they do so together."""
    found: dict[tuple[int, Condition], _Read] = {}
    for read in reads:
        key = (read.policy.rank, read.policy.applies)
        former = found.setdefault(key, read)
        if former.meets.holds or (former is read):
            continue
        missing = former.meets.missing | read.meets.missing
        if read.meets.holds:
            found[key] = read._replace(meets=YES)
        elif read.meets.holds is None:
            found[key] = read._replace(meets=Answer(None, missing))
    return list(found.values())


def _by_rank(ranks: list[list[_Read]]) -> Ruling | None:
    """The ruling of the highest rank that applies; where none of it surely does, both ways must agree."""
    if not ranks:
        return None
    reads, lower = ranks[0], ranks[1:]
    certain = [read for read in reads if read.applies.holds]
    here = _within_rank(reads, certain)
    if certain or here.verdict == "unknown":
        return here
    otherwise = _by_rank(lower)
    if here.verdict == ("allowed" if otherwise is None else otherwise.verdict):
        return here
    return _unknown(reads)


def _within_rank(reads: list[_Read], certain: list[_Read]) -> Ruling:
    """What these say if those apply that surely do; where none surely does, if any of them applies."""
    for read in certain:
        if read.meets.holds:
            return Ruling("allowed", "declared", read.policy, read.line)
    may = [read for read in reads if read.meets.holds is not False]
    if not may:
        return Ruling("denied", "undeclared", reads[0].policy, reads[0].policy.line)
    if not certain and all(read.meets.holds for read in reads):
        return Ruling("allowed", "declared", may[0].policy, may[0].line)
    return _unknown(may)


def _through_deny(stage: Sequence[Policy], known: Known) -> Ruling | None:
    return _unless_met(stage, known, lambda hit: Ruling("denied", "forbidden", hit.policy, hit.line))


def _through_external(stage: Sequence[Policy], known: Known) -> Ruling | None:
    return _unless_met(
        stage,
        known,
        lambda hit: Ruling(
            "unknown", "not_shown", hit.policy, hit.line, (f"the answer of {hit.policy.name}'s authorizer",)
        ),
    )


def _unless_met(stage: Sequence[Policy], known: Known, ruled: Callable[[_Read], Ruling]) -> Ruling | None:
    reads = _read(stage, known)
    for read in reads:
        if read.applies.holds and read.meets.holds:
            return ruled(read)
    if may := [read for read in reads if read.meets.holds is not False]:
        return _unknown(may)
    through = next((read.policy for read in reads if read.applies.holds), None)
    return None if through is None else Ruling("allowed", "declared", through, through.line)


def _through_require(stage: Sequence[Policy], known: Known) -> Ruling | None:
    """Denied only where the call shows that it lacks what the most specific policy requires."""
    reads = sorted(_read(stage, known), key=lambda read: -read.policy.rank)
    top = reads[0] if reads else None
    if top is not None and top.applies.holds and top.meets.holds is False:
        return Ruling("denied", "forbidden", top.policy, top.line)
    return None


_STAGES: Final[Mapping[PolicyAction, Callable[[Sequence[Policy], Known], Ruling | None]]] = {
    "require": _through_require,
    "external": _through_external,
    "deny": _through_deny,
    "allow": _through_allow,
}
