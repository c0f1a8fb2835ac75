"""Is this token good for this call. An ordered table of reasons over verified claims and the policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from bindtrace.propagation.guard.request import Receiver, Request, Trust
from bindtrace.propagation.guard.tables import refused
from bindtrace.propagation.identity.policy import Binding, Policy
from bindtrace.propagation.identity.wit import Wit


class Call(NamedTuple):
    """What is known of a call once its token is verified."""

    wit: Wit
    request: Request
    receiver: Receiver
    trust: Trust
    binding: Binding | None
    """The policy's own, where there is a policy and it has one for this callee."""

    @property
    def policy(self) -> Policy | None:
        return self.trust.policy


def _environments_agree(call: Call) -> bool:
    granted, own = call.wit.granted, call.receiver.service.environment
    return call.wit.subject.environment == granted.environment == own


def _deployments_agree(call: Call) -> bool:
    """The token's pin, the caller's being live, and the pairs that the binding pins."""
    caller, own = call.wit.subject.deployment, call.receiver.deployment
    pinned = call.wit.granted.deployment in (None, own)
    live = None if call.policy is None else call.policy.deployments.get(call.wit.subject.of_service)
    pairs = call.binding.pairs if call.binding else ()
    return pinned and (live is None or caller in live) and (not pairs or (caller, own) in pairs)


def _route_allowed(call: Call) -> bool:
    routes = call.binding.routes if call.binding else ()
    return not routes or any(route.matches(call.request.method, call.request.path) for route in routes)


GRANT: Final[list[tuple[str, Callable[[Call], bool]]]] = [
    ("callee_mismatch", lambda call: call.wit.granted.callee == call.receiver.service),
    ("environment_mismatch", _environments_agree),
    ("deployment_mismatch", _deployments_agree),
    ("policy_unavailable", lambda call: call.policy is not None or not call.receiver.policy_required),
    ("binding_unknown", lambda call: call.policy is None or call.binding is not None),
    ("binding_inactive", lambda call: call.binding is None or call.binding.active),
    (
        "binding_epoch_stale",
        lambda call: call.binding is None or call.binding.epoch <= call.wit.granted.epoch,
    ),
    (
        "caller_not_bound",
        lambda call: call.binding is None or call.binding.caller == call.wit.subject.of_service,
    ),
    ("route_not_allowed", _route_allowed),
]


def call_of(wit: Wit, request: Request, receiver: Receiver, trust: Trust) -> Call:
    found = None if trust.policy is None else trust.policy.bindings.get(wit.granted.binding)
    binding = found if found is not None and found.callee == receiver.service else None
    return Call(wit, request, receiver, trust, binding)


def refused_grant(call: Call) -> str | None:
    """The reason why this token does not allow this call, if there is one."""
    return refused(GRANT, call)
