"""The two ways in which a proxy asks the endpoint, as paths. Data only."""

from __future__ import annotations

from typing import Final

SAME: Final = "/same"
"""Prefix under which a proxy sends method and path as they are (Envoy)."""
CHECK: Final = "/check"
"""Path at which a proxy says method and URI in two headers of ours (nginx, Caddy)."""
