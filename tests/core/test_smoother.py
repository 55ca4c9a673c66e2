"""Smooth lines, against local fits by numpy's own polynomials and against statsmodels' lowess."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import trapezoid

from rbridge.core.smoother import density, lowess


def by_polyfit(x, y, span):
    """Cleveland's first round, one weighted straight line a point."""
    k = int(span * len(x) + 1e-5)
    found = []
    for place in x:
        distance = np.abs(x - place)
        weights = np.clip(1 - (distance / np.sort(distance)[k - 1]) ** 3, 0, None) ** 3
        found.append(np.polyval(np.polyfit(x, y, 1, w=np.sqrt(weights)), place))
    return np.array(found)


@pytest.fixture
def points():
    rng = np.random.default_rng(2)
    x = np.sort(rng.uniform(0, 10, 50))
    return x, np.sin(x) + 0.3 * rng.standard_t(2, size=50)


def test_without_robustness_it_is_a_local_line(points):
    x, y = points
    places, line = lowess(x, y, 0.5, rounds=0)
    np.testing.assert_allclose(places, x)
    np.testing.assert_allclose(line, by_polyfit(x, y, 0.5), atol=1e-9)


@pytest.mark.parametrize("span", [0.4, 2 / 3])
def test_with_robustness_it_is_statsmodels_lowess(points, span):
    smoothers = pytest.importorskip("statsmodels.nonparametric.smoothers_lowess")
    x, y = points
    theirs = smoothers.lowess(y, x, frac=span, it=3)[:, 1]
    np.testing.assert_allclose(lowess(x, y, span, rounds=3)[1], theirs, atol=2e-3)


def test_a_line_is_itself_and_an_outlier_does_not_move_it():
    x = np.linspace(0, 1, 500)
    y = 3 - 2 * x
    y[250] = 1e3
    places, line = lowess(x, y)
    assert len(places) == 60
    np.testing.assert_allclose(line, 3 - 2 * places, atol=1e-6)


def test_few_values_of_x_have_their_means():
    x = np.repeat([1.0, 2.0, 3.0], 8)
    y = np.random.default_rng(1).normal(size=24)
    line = lowess(x, y, span=1 / 3, rounds=0)[1]
    np.testing.assert_allclose(line, y.reshape(3, 8).mean(axis=1))


def test_the_density_integrates_to_one_and_is_scipys_in_the_middle():
    values = np.random.default_rng(3).normal(size=400)
    x, height = density(values)
    assert trapezoid(height, x) == pytest.approx(1, abs=2e-3)
    quartiles = np.subtract(*np.quantile(values, [0.75, 0.25])) / 1.34
    factor = 0.9 * min(values.std(ddof=1), quartiles) * 400**-0.2 / values.std(ddof=1)
    middle = np.abs(x) < 1
    theirs = stats.gaussian_kde(values, bw_method=factor)(x)
    np.testing.assert_allclose(height[middle], theirs[middle], rtol=1e-6)


def test_a_pile_at_zero_stays_there():
    values = np.concatenate([np.zeros(100), np.random.default_rng(4).exponential(size=300)])
    x, height = density(values)
    assert x[0] == 0 and trapezoid(height, x) == pytest.approx(1, abs=5e-3)
    assert height[0] == height.max()
