"""How a proxy asks the endpoint, and what it is told besides the status. Data only."""

from __future__ import annotations

from typing import Final

from bindtrace.propagation import vocabulary as words

SAME: Final = "/same"
"""Prefix under which a proxy sends method and path as they are (Envoy)."""
CHECK: Final = "/check"
"""Path at which a proxy says method and URI in two headers of ours (nginx, Caddy)."""
REFUSED: Final = "/refused"
"""Path at which a proxy tells, in the same way, of a caller that it has refused for its certificate."""
TOLD: Final = {
    f"x-{name.replace('.', '-').replace('_', '-')}": name
    for name in (
        words.AUTHZ_REASON,
        words.AUTHZ_DECISION,
        words.AUTHZ_WOULD,
        words.AUTHZ_ASSURANCE,
        words.VERIFIED_CALLER,
        words.BINDING_ID,
        words.CREDENTIAL_SHA256,
        words.PROOF_SHA256,
    )
}
"""Answered headers, each with the attribute whose value it has: for the proxy's own span, and for nobody behind it."""
