"""Intervals side by side: each column is what its own function says, and absences have reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import rbridge as rb
from rbridge.analysis.intervals import METHODS
from rbridge.core.intervals import nlme as core_intervals
from rbridge.core.intervals.resampling import bootstrap_intervals
from rbridge.core.intervals.satterthwaite import satterthwaite as chi_square_interval
from rbridge.errors import SpecError
from rbridge.results import LmeResults
from tests.support import designs, oneway, references
from tests.support.fits import named

ONE = LmeResults(oneway.simulated(20, 5, 0.8, seed=1).snapshot())


def ends(frame: pd.DataFrame, method: str) -> pd.DataFrame:
    return frame[frame.method == method].set_index("component")[["lower", "upper"]]


def test_wald_log_and_satterthwaite() -> None:
    fit = named("slope")
    table = fit.intervals(0.9, methods=["wald", "log", "satterthwaite"])
    names = list(fit.varcomp.index)
    vcov, cor = fit.varcomp_vcov(), rb.correlations(fit)
    pd.testing.assert_frame_equal(
        ends(table, "wald").loc[names], vcov.conf_int(0.9), check_names=False
    )
    log = ends(table, "log")
    assert list(log.index) == [names[0], names[2], names[3], cor.estimates.index[0]]
    np.testing.assert_allclose(log.iloc[:3], vcov.conf_int(0.9, scale="log").loc[log.index[:3]])
    np.testing.assert_allclose(log.iloc[3:], cor.conf_int(0.9, scale="log"))
    assert list(ends(table, "satterthwaite").index) == [names[0], names[2], names[3]]
    assert (table.level == 0.9).all() and (table.note == "").all()
    assert list(table.columns) == [
        *("component", "method", "lower", "estimate", "upper", "level", "note")
    ]


@pytest.mark.parametrize("name", references.WITH_INTERVALS)
def test_nlmes_rows_are_matched_to_components(name: str) -> None:
    """Each of nlme's rows has its own estimate, squared for an sd, as the component's estimate."""
    snapshot = references.interval_fit(name)
    rows = core_intervals.intervals(snapshot)
    table = LmeResults(snapshot).intervals(methods=["nlme"]).set_index("component")
    if snapshot.kind == "gls" and snapshot.fixed_sigma:
        rows = replace(rows, name=rows.name[:-1], est=rows.est[:-1])  # no component
    roots = [row == "sigma" or row.startswith(("sd(", "std.")) for row in rows.name]
    theirs = np.where(roots, rows.est**2, rows.est)
    np.testing.assert_allclose(np.sort(table.estimate), np.sort(theirs), rtol=1e-4)
    if "arma" in name or (snapshot.apvar and not snapshot.apvar.natural):
        return  # nlme transforms whole vectors: its rows may miss their estimate
    slack = 1e-4 * table.estimate.abs()
    assert (table.lower <= table.estimate + slack).all()
    assert (table.estimate <= table.upper + slack).all()


def test_profile_and_bootstrap() -> None:
    rng = np.random.default_rng(6)
    replicates = pd.DataFrame(
        rng.gamma(5.0, size=(400, 2)), columns=list(ONE.varcomp.index)[::-1]
    )  # columns in another order: by name
    methods = ["profile", "bootstrap-percentile", "bootstrap-basic", "bootstrap-bca"]
    table = ONE.intervals(methods=methods, bootstrap=replicates)
    np.testing.assert_allclose(
        ends(table, "profile"), ONE.profile().conf_int()[["lower", "upper"]], rtol=1e-12
    )
    label = ONE.varcomp.index[0]
    expected = bootstrap_intervals(replicates[[label]], ONE.varcomp[[label]])
    np.testing.assert_allclose(ends(table, "bootstrap-percentile").loc[label], np.ravel(expected))

    class Holder:
        pass

    holder: Any = Holder()
    holder.replicates = replicates
    again = ONE.intervals(methods=methods, bootstrap=holder)
    pd.testing.assert_frame_equal(table, again)


def test_failed_replicates_are_counted() -> None:
    values = np.random.default_rng(6).gamma(5.0, size=(50, 2))
    values[:3] = np.nan
    table = ONE.intervals(
        methods=["bootstrap-percentile"], bootstrap=pd.DataFrame(values, columns=ONE.varcomp.index)
    )
    assert set(table.note) == {"3 of 50 replicates left out"}


def test_a_method_that_fails_says_why() -> None:
    table = ONE.intervals(methods=["nlme", "wald"])
    nlme = table[table.method == "nlme"]
    assert nlme.lower.isna().all() and nlme.note.str.contains("synthetic").all()
    assert table[table.method == "wald"].lower.notna().all()


def test_zero_variance() -> None:
    snapshot = designs.named("zero")
    snapshot = replace(snapshot, beta=np.linalg.lstsq(designs.X, designs.Y, rcond=None)[0])
    table = (
        LmeResults(snapshot).intervals(methods=["wald", "log"]).set_index(["method", "component"])
    )
    assert "bound" in table.loc[("log", "Tau.g.var(z0)"), "note"]
    assert table.loc[("log", "sigma_sq"), "lower"] > 0


def test_refusals() -> None:
    for options, message in [
        ({"methods": ["wald", "walt"]}, "methods has no 'walt'; did you mean 'wald'"),
        ({"methods": ["wald"], "level": 95}, "^level must lie between 0 and 1, not 95"),
        ({"methods": ["bootstrap-bca"]}, "need bootstrap=fit.bootstrap"),
        ({"methods": ["bootstrap-bca"], "bootstrap": pd.DataFrame({"x": [1]})}, "no column 'Tau"),
    ]:
        with pytest.raises(SpecError, match=message):
            ONE.intervals(**options)
    assert ONE.intervals(methods="wald").equals(ONE.intervals(methods=["wald"]))
    assert "nlme" in METHODS


@pytest.mark.parametrize("df", [1e-9, 1e-3, 0.05, 1.0, 30.0])
def test_a_satterthwaite_interval_has_its_estimate_inside(df: float) -> None:
    (lower,), (upper,) = chi_square_interval([2.0], [2 * 2.0**2 / df])
    assert 0 <= lower <= 2 <= upper
    if df >= 1:
        q = stats.chi2(df).ppf([0.975, 0.025])
        np.testing.assert_allclose([lower, upper], df * 2 / q)


def test_a_satterthwaite_interval_without_a_variance_is_none() -> None:
    assert np.isnan(chi_square_interval([2.0], [np.nan])).all()
