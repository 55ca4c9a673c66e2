"""How far a search stopped from the optimum: closed form for the balanced one-way layout."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rbridge.check.findings import OK, WARNING
from rbridge.check.gaps import optimum
from rbridge.fit.components import Fit
from tests.support.fits import recorded


def test_nlmes_own_optimum_passes() -> None:
    found = optimum(recorded("rail-intercept"))
    assert found.level == OK and found.size is not None and found.size < 1e-5


@pytest.mark.parametrize("errors", [0.5, 0.02])
def test_a_distance_is_told_in_standard_errors(errors: float) -> None:
    """Six rails of three: σ² has variance 2σ⁴/12."""
    snapshot = recorded("rail-intercept").snapshot
    moved = snapshot.sigma**2 * (1 + errors * np.sqrt(2 / 12))
    found = optimum(Fit(replace(snapshot, sigma=float(np.sqrt(moved)))))
    assert found.level == WARNING and found.parameters == ("sigma_sq",)
    assert found.size == pytest.approx(errors, rel=1e-3)
