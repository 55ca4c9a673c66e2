"""A change of unit, of time or of the response, changes nothing that diagnose says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rbridge.core.snapshot import ApVar, FitSnapshot
from rbridge.results import LmeResults
from tests.support.references import recorded


def with_time(snapshot: FitSnapshot, unit: float, phi: float | None = None) -> FitSnapshot:
    """A corCAR1 whose time is counted in another unit; at phi, if given, at distance 1 before."""
    cor = snapshot.cor
    assert cor is not None and cor.cor_class == "corCAR1"
    value = cor.values if phi is None else np.array([phi])
    other = replace(cor, values=value ** (1 / unit), covariate=cor.covariate * unit)
    return replace(snapshot, cor=other)


def said(snapshot: FitSnapshot, code: str = "boundary") -> list[str]:
    return [finding.text for finding in LmeResults(snapshot).diagnose() if finding.code == code]


def correlations(snapshot: FitSnapshot) -> Any:
    """Of every two rows of one group, by definition."""
    cor = snapshot.cor
    assert cor is not None
    time = cor.covariate[:, 0]
    same = (cor.codes[:, None] == cor.codes) & ~np.eye(len(time), dtype=bool)
    return (cor.values[0] ** np.abs(time[:, None] - time))[same]


@pytest.mark.parametrize("unit", [0.05, 1.0, 60.0, 3600.0])
@pytest.mark.parametrize("name", ["corCAR1", "corCAR1-gls-ml"])
def test_another_unit_of_time_is_no_boundary(name: str, unit: float) -> None:
    snapshot = with_time(recorded(name), unit)
    assert 0.001 < correlations(snapshot).max() and correlations(snapshot).min() < 0.999
    assert said(snapshot) == said(snapshot, "start") == []


@pytest.mark.parametrize("unit", [1.0, 100.0])
@pytest.mark.parametrize("phi", [1e-200, 1e-9, 1 - 1e-9])
def test_a_correlation_that_is_none_or_one_at_every_distance(phi: float, unit: float) -> None:
    snapshot = with_time(recorded("corCAR1-gls-ml"), unit, phi)
    found = correlations(snapshot)
    assert found.max() < 0.001 or found.min() > 0.999
    words = "closest rows" if phi < 0.5 else "farthest rows"
    assert [words in text for text in said(snapshot)] == [True]


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_another_unit_of_the_response_is_no_runaway(factor: float) -> None:
    fit = recorded("orthodont-seed")
    apvar, shift = fit.apvar, np.log(factor)
    assert isinstance(apvar, ApVar)
    pars = apvar.pars + shift * np.array([1, 1, 0, 1])  # log sd twice, the correlation, log sigma
    other = replace(
        fit,
        y=fit.y * factor,
        beta=fit.beta * factor,
        fitted=fit.fitted * factor,
        sigma=fit.sigma * factor,
        levels=tuple(replace(lv, D=lv.D * factor**2, b=lv.b * factor) for lv in fit.levels),
        apvar=replace(apvar, pars=pars),
    )
    assert [f.code for f in LmeResults(other).diagnose()] == ["regular"]


def test_a_parameter_that_ran_away_is_still_told() -> None:
    fit = recorded("orthodont-seed")
    apvar = fit.apvar
    assert isinstance(apvar, ApVar)
    wide = replace(fit, apvar=replace(apvar, cov=apvar.cov * 400))
    assert "ran away" in said(wide, "apVar")[0]


def test_a_correlation_too_small_for_a_double_is_a_finding() -> None:
    with np.errstate(all="ignore"):
        snapshot = with_time(recorded("corCAR1-gls-ml"), 1e-2, 1e-300)
        assert "the information is not finite in" in said(snapshot, "identification")[0]
