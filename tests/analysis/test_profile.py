"""Profiles as frames; their numbers are tested in tests/core."""

from __future__ import annotations

import numpy as np
import pytest

from rbridge.analysis.profile import profile
from rbridge.errors import SpecError
from rbridge.results import LmeResults
from tests.support import oneway

FIT = LmeResults(oneway.simulated(15, 4, 0.7, seed=5).snapshot())


def test_frames_of_the_curves() -> None:
    found = profile(FIT)
    assert list(found.by_name) == list(FIT.varcomp.index)
    frame, table = found.curves, found.conf_int()
    assert list(frame.columns) == ["component", "value", "zeta", "log_lik"]
    for name, points in frame.groupby("component"):
        at_top = points[points.zeta == 0]
        assert at_top.value.iloc[0] == pytest.approx(table.estimate[name], rel=1e-9)
        drop = 2 * (at_top.log_lik.iloc[0] - points.log_lik)
        np.testing.assert_allclose(points.zeta**2, drop, atol=1e-8)


def test_refusals() -> None:
    with pytest.raises(SpecError, match="no function of the components alone"):
        profile(FIT, "beta(Intercept) / sigma")
    with pytest.raises(SpecError, match="level"):
        profile(FIT, level=95)
