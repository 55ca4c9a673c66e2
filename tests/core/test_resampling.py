"""Bootstrap, jackknife and Satterthwaite intervals against closed forms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from rbridge.core.fitting.maximum import maximise
from rbridge.core.intervals.resampling import acceleration, bootstrap_intervals, jackknife
from rbridge.core.intervals.satterthwaite import satterthwaite
from rbridge.errors import DataError, InformationError, SpecError
from tests.support import designs, oneway

RNG = np.random.default_rng(8)


def test_percentile_of_normal_quantiles_is_exact() -> None:
    """Replicates at their own normal scores: interpolation on the normal scale loses nothing."""
    scores = stats.norm.ppf(np.arange(1, 100) / 100)
    lower, upper = bootstrap_intervals(3 + 2 * scores[:, None], [3.0], 0.9)
    np.testing.assert_allclose([lower, upper], 3 + 2 * stats.norm.ppf([[0.05], [0.95]]), rtol=1e-12)


def test_basic_is_the_percentile_mirrored() -> None:
    t = RNG.gamma(2.0, size=(500, 2))
    low, high = bootstrap_intervals(t, [2.0, 1.5])
    mirrored = bootstrap_intervals(t, [2.0, 1.5], kind="basic")
    twice = np.array([4.0, 3.0])
    np.testing.assert_allclose(mirrored, [twice - high, twice - low])


def test_bca_without_bias_or_skewness_is_the_percentile() -> None:
    scores = stats.norm.ppf(np.arange(1, 200) / 200)[:, None]
    symmetric = np.array([[-1.0], [0.0], [1.0]])
    plain = bootstrap_intervals(scores, [0.0])
    np.testing.assert_allclose(
        bootstrap_intervals(scores, [0.0], kind="bca", jackknife=symmetric), plain, atol=1e-12
    )


def test_bca_recovers_the_exact_interval_of_an_exponential_scale() -> None:
    """Mean of n exponentials: exact limits are n x̄ over gamma quantiles; a = 1/(3√n)."""
    n, mean = 20, 1.3
    t = mean * np.random.default_rng(1).gamma(n, 1 / n, size=(200_000, 1))  # parametric bootstrap
    exact = n * mean / stats.gamma.ppf([0.975, 0.025], n)
    plain = np.ravel(bootstrap_intervals(t, [mean]))
    skewed = with_acceleration(1 / (3 * np.sqrt(n)))
    corrected = np.ravel(bootstrap_intervals(t, [mean], kind="bca", jackknife=skewed))
    assert np.abs(corrected - exact).max() < 0.35 * np.abs(plain - exact).max()
    np.testing.assert_allclose(corrected, exact, rtol=0.03)


def with_acceleration(a: float) -> Any:
    """Jackknife values of (nearly) that acceleration: it falls with the square root of copies."""
    unit = np.array([-2.0, 1.0, 1.0])
    d = 0.0 - unit
    one = (d**3).sum() / (6 * (d**2).sum() ** 1.5)
    return np.tile(unit, int(round((one / a) ** 2)))[:, None]


def test_acceleration_of_a_mean_is_its_skewness() -> None:
    """a = skewness/(6√n) for the mean (Efron 1987, eq. 6.6)."""
    x = RNG.gamma(1.5, size=80)
    left_out = (x.sum() - x) / 79
    expected = stats.skew(x) / (6 * np.sqrt(80))
    np.testing.assert_allclose(acceleration(left_out[:, None]), [expected], rtol=1e-10)


def test_a_skewed_jackknife_moves_the_interval_up() -> None:
    t = RNG.normal(size=(4000, 1))
    right = np.append(np.zeros(9), -1.0)[:, None]  # one unit whose absence lowers the estimate
    assert acceleration(right)[0] > 0
    plain = np.ravel(bootstrap_intervals(t, [0.0]))
    moved = np.ravel(bootstrap_intervals(t, [0.0], kind="bca", jackknife=right))
    assert (moved > plain).all()


def test_failures_are_left_out_column_by_column() -> None:
    t = RNG.normal(size=(300, 2))
    holes = np.vstack([t, [[np.nan, np.nan], [np.nan, 0.0]]])
    lower, upper = bootstrap_intervals(holes, [0.0, 0.0])
    first = bootstrap_intervals(t[:, :1], [0.0])
    np.testing.assert_array_equal([lower[0], upper[0]], np.ravel(first))


def test_one_sided_replicates_have_no_bca() -> None:
    t = np.linspace(1, 2, 50)[:, None]
    ends = bootstrap_intervals(t, [0.5], kind="bca", jackknife=np.array([[0.0], [1.0], [3.0]]))
    assert np.isnan(ends).all()


def test_refusals() -> None:
    t = np.ones((10, 2))
    with pytest.raises(SpecError, match="percentile, basic, bca"):
        bootstrap_intervals(t, [1, 1], kind="normal")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="level"):
        bootstrap_intervals(t, [1, 1], 95)
    with pytest.raises(SpecError, match="jackknife"):
        bootstrap_intervals(t, [1, 1], kind="bca")
    with pytest.raises(DataError, match="do not fit"):
        bootstrap_intervals(t, [1, 1, 1])
    with pytest.raises(DataError, match="1 usable"):
        bootstrap_intervals([[1.0], [np.nan]], [1.0])


# --- jackknife -----------------------------------------------------------------------------------


def test_jackknife_of_a_balanced_layout_is_exact() -> None:
    """One step of Fisher scoring solves balanced REML, so it is the analysis of variance."""
    data = oneway.simulated(12, 4, 0.8, seed=2)
    exact = [oneway.OneWay(np.delete(data.y, j, axis=0)).reml for j in range(12)]
    np.testing.assert_allclose(jackknife(data.snapshot()), exact, rtol=1e-9)


def test_jackknife_is_near_the_refits_of_an_unbalanced_model() -> None:
    rng = np.random.default_rng(4)
    codes = designs.groups(rng.integers(2, 7, 40))
    y = rng.normal(size=len(codes)) + rng.normal(size=40)[codes]
    X = np.column_stack([np.ones(len(y)), rng.normal(size=len(y))])
    start = designs.fit(X, y, [designs.level(codes, X[:, :1], np.array([[1.0]]))])
    theta = maximise(start).theta
    level = replace(start.levels[0], D=theta[:1, None])
    at_top = replace(start, levels=(level,), sigma=float(np.sqrt(theta[1])))
    refits = []
    for j in range(40):
        keep = codes != j
        less = np.unique(codes[keep], return_inverse=True)[1]
        there = designs.level(less, X[keep, :1], theta[:1, None])
        part = designs.fit(X[keep], y[keep], [there])
        refits.append(maximise(part).theta)
    quick = jackknife(at_top)
    assert np.corrcoef(quick[:, 0], np.array(refits)[:, 0])[0, 1] > 0.999
    np.testing.assert_allclose(acceleration(quick), acceleration(refits), rtol=0.05, atol=2e-3)


@pytest.mark.parametrize(
    "levels, cor, m", [("nested", "AR1", 4), ("gls", "AR1", 15), ("gls", "", 45)]
)
def test_jackknife_units(levels: str, cor: str, m: int) -> None:
    try:
        assert jackknife(designs.named(levels, cor, "Ident")).shape[0] == m
    except InformationError as error:  # four groups less one: not identified, and it says what
        assert levels == "nested" and "Tau" in str(error)


# --- Satterthwaite --------------------------------------------------------------------------


def test_satterthwaite_is_exact_for_a_balanced_residual_variance() -> None:
    data = oneway.simulated(12, 4, 0.8, seed=2)
    sigma_sq, df = data.reml[1], 12 * 3
    ends = satterthwaite([sigma_sq], [2 * sigma_sq**2 / df], 0.9)
    expected = data.within / stats.chi2.ppf([[0.95], [0.05]], df)
    np.testing.assert_allclose(ends, expected, rtol=1e-10)
    with pytest.raises(SpecError):
        satterthwaite([1.0], [1.0], 95)
