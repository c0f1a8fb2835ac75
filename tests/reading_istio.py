"""Istio's policies of a text."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from bindtrace.propagation.platforms import kubernetes
from bindtrace.propagation.policies import Policies, policies_of


def read(text: str) -> Policies:
    return policies_of([kubernetes.read(Path("policy.yaml"), dedent(text))])
