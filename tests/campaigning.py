"""How large a campaign is: the nightly quantity with CAMPAIGN=full, a tenth of it or less otherwise."""

from __future__ import annotations

import os

FULL = os.environ.get("CAMPAIGN", "") == "full"
SEED = int(os.environ.get("CAMPAIGN_SEED", "1"))
"""Printed with every failure, so that it can be repeated."""


def quantity(full: int, small: int) -> int:
    """How many rounds, requests or seconds."""
    return full if FULL else small
