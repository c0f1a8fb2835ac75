"""What the authority tells a collector, as spans: each credential, and each deployment that changes. Never a token."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from opentelemetry import trace

from bindtrace.propagation import vocabulary as words
from bindtrace.propagation.absent import Absent
from bindtrace.propagation.authority.issuing import Credentials
from bindtrace.propagation.authority.store import Deployment
from bindtrace.propagation.guard.verdict import fingerprint
from bindtrace.propagation.identity import certificates
from bindtrace.propagation.identity.compact import take_apart

TOLD_FOR_S: Final = 7 * 86_400
"""Deployments that ended longer ago are not told again by a new process: nothing that they hold is good any more."""


def tell_issued(issued: Credentials) -> None:
    """One span per credential, for the collector to find a call's in: never the token."""
    subject = str(issued.workload)
    leaf = hashlib.sha256(certificates.der(issued.certificate)).hexdigest()
    until_s = int(issued.certificate.not_valid_after_utc.timestamp())
    _told("issue certificate", {words.ISSUED_CERT_SHA256: leaf, words.ISSUED_UNTIL_S: until_s}, subject)
    for token in issued.tokens:
        compact = take_apart(token.token)
        assert not isinstance(compact, Absent)
        said: dict[str, str | int] = {
            words.ISSUED_CALLEE: token.callee,
            words.ISSUED_BINDING: token.binding,
            words.ISSUED_JTI_SHA256: fingerprint(compact.claims["jti"]),
            words.ISSUED_UNTIL_S: token.expires_s,
        }
        _told("issue token", said, subject)


def _told(name: str, said: Mapping[str, str | int], subject: str) -> None:
    tracer = trace.get_tracer(words.ISSUER_SCOPE)
    tracer.start_span(name, attributes={words.ISSUED_SUBJECT: subject, **said}).end()


class DeploymentTeller:
    """Tells of every deployment once per state that it is in; a new process tells of all anew."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def tell(self, deployments: Iterable[Deployment], now_s: int) -> None:
        for found in deployments:
            subject = str(found.workload)
            gone = found.state == "ended" and found.since_s < now_s - TOLD_FOR_S
            if self._told.get(subject) == found.state or gone:
                continue
            self._told[subject] = found.state
            said: dict[str, str | int] = {
                words.DEPLOYMENT_SUBJECT: subject,
                words.DEPLOYMENT_STATE: found.state,
                words.DEPLOYMENT_SINCE_S: found.since_s,
            }
            tracer = trace.get_tracer(words.ISSUER_SCOPE)
            tracer.start_span(f"deployment {found.state}", attributes=said).end()
