"""`bindtrace policy`: what manifests mean, and what another manifest would mean for the traffic there was."""

from __future__ import annotations

import click

from bindtrace.queries.policy_commands.check import check
from bindtrace.queries.policy_commands.diff import diff
from bindtrace.queries.policy_commands.readiness import readiness
from bindtrace.queries.policy_commands.replay import replay
from bindtrace.queries.policy_commands.suggest import suggest


@click.group()
def policy() -> None:
    """Test a policy: one call, two manifests, or the traffic that was stored."""


for _verb in (check, diff, readiness, replay, suggest):
    policy.add_command(_verb)
