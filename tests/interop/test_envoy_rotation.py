"""T6 in small through two real Envoys: certificates and authorities rotate while calls run, and none fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from interop.rotating_sidecars import Certified, through_envoys
from rotating import Callers, Scaled, by_sidecar
from support import wait_for

from bindtrace.propagation.authority.rotation import Lives

QUICK = Lives(ca_s=30, token_key_s=30, leaf_s=3, token_s=3, skew_s=1, refresh_s=1, publish_s=3)


@pytest.mark.slow
def test_no_call_fails_while_envoys_take_up_new_certificates_and_authorities(tmp_path: Path) -> None:
    scaled, app = Scaled(tmp_path, QUICK), Certified()
    with (
        scaled.running(),
        through_envoys(scaled, tmp_path, app) as port,
        Callers(by_sidecar(port), 2) as callers,
    ):
        wait_for(lambda: scaled.cas() >= 2 and len(app.certificates) >= 6, seconds=60, what="rotations")

    assert set(callers.outcomes) == {"200"}
    assert callers.outcomes["200"] > 200
