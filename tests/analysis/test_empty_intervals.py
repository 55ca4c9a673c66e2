"""Intervals by logarithms of an estimate next to zero hold everything, and say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rbridge.results import LmeResults
from tests.support import oneway
from tests.support.fits import as_at_maximum

LABEL = "Tau.g.var((Intercept))"


def fit(tau: float) -> LmeResults:
    """One-way data at a given estimate of the variance of the groups."""
    snapshot = oneway.simulated(15, 4, 0.7, seed=5).snapshot()
    level = replace(snapshot.levels[0], D=np.array([[tau]]))
    return as_at_maximum(LmeResults(replace(snapshot, levels=(level,))))


def notes(tau: float) -> dict[str, str]:
    table = fit(tau).intervals(methods=["wald", "log", "satterthwaite"])
    rows = table[table.component == LABEL]
    return dict(zip(rows.method, rows.note))


@pytest.mark.parametrize("tau", [1e-3, 1e-6, 1e-12, 1e-200])
def test_next_to_zero(tau: float) -> None:
    found = notes(tau)
    assert "says nothing" in found["log"] and "says nothing" in found["satterthwaite"]
    assert found["wald"] == ""


@pytest.mark.parametrize("tau", [0.05, 0.7, 30.0])
def test_elsewhere(tau: float) -> None:
    assert set(notes(tau).values()) == {""}
