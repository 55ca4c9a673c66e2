"""Adjusted p-values against closed forms, the studentized range and Dunnett's published table."""

import numpy as np
import pytest
from scipy import stats

from rbridge.core.fixed_effects.adjustments import Family, adjusted
from rbridge.core.fixed_effects.contrasts import consecutive, pairwise, polynomial, reference
from rbridge.errors import SpecError

# Dunnett (1964), Biometrics 20, table II: two-sided 5 % points, equal group sizes.
DUNNETT = {(2, 10): 2.57, (3, 10): 2.76, (5, 10): 2.99, (2, 20): 2.38, (4, 20): 2.65}


def family(C: np.ndarray, t, df: float) -> Family:
    cov = C @ C.T
    scale = np.sqrt(np.diag(cov))
    t = np.asarray(t, float)
    return Family(t, np.full(len(t), df), cov / np.outer(scale, scale), C.shape[1])


@pytest.mark.parametrize("df", [4.0, 25.5, np.inf])
@pytest.mark.parametrize("k", [2, 3, pytest.param(5, marks=pytest.mark.slow)])
def test_mvt_of_all_pairs_is_the_studentized_range(k, df):
    asked = family(pairwise(k), np.linspace(0.3, 4, k * (k - 1) // 2), df)
    exact, width = adjusted(asked, "tukey", 0.95)
    p, quantile = adjusted(asked, "mvt", 0.95)
    assert np.abs(p - exact).max() < 1e-3
    assert np.abs(quantile / width - 1).max() < 3e-3
    range_ = stats.studentized_range
    assert exact == pytest.approx(range_.sf(asked.t * np.sqrt(2), k, df), abs=1e-9)
    assert width[0] * np.sqrt(2) == pytest.approx(range_.ppf(0.95, k, df), abs=1e-4)


@pytest.mark.parametrize(("k", "df"), DUNNETT)
def test_dunnett_is_the_published_table(k, df):
    C = reference(k + 1, 0)
    assert adjusted(family(C, np.zeros(k), df), "dunnett", 0.95)[1][0] == pytest.approx(
        DUNNETT[k, df], abs=0.006
    )


def test_bonferroni_and_holm_are_their_definitions():
    asked = family(np.eye(4), [3.0, 1.0, 2.5, 0.1], 12.0)
    raw = 2 * stats.t.sf(np.abs(asked.t), 12)
    assert adjusted(asked, "none", 0.9)[0] == pytest.approx(raw, rel=1e-12)
    assert adjusted(asked, "bonferroni", 0.9)[0] == pytest.approx(np.minimum(4 * raw, 1), rel=1e-12)
    p, width = adjusted(asked, "holm", 0.9)
    assert p[[0, 2, 1, 3]] == pytest.approx(
        [4 * raw[0], 3 * raw[2], 2 * raw[1], max(2 * raw[1], raw[3])], rel=1e-12
    )
    assert width == pytest.approx(stats.t.isf(0.1 / 8, 12), rel=1e-10)


def test_contrasts_are_their_definitions():
    assert pairwise(3).tolist() == [[1, -1, 0], [1, 0, -1], [0, 1, -1]]
    assert reference(3, 1).tolist() == [[1, -1, 0], [0, -1, 1]]
    assert consecutive(3).tolist() == [[-1, 1, 0], [0, -1, 1]]
    # Fisher and Yates, Statistical Tables, table XXIII, n = 5
    assert polynomial(5).tolist() == [
        [-2, -1, 0, 1, 2],
        [2, -1, -2, -1, 2],
        [-1, 2, 0, -2, 1],
        [1, -4, 6, -4, 1],
    ]


def test_no_degrees_of_freedom_is_an_error():
    with pytest.raises(SpecError, match="no degrees of freedom"):
        adjusted(family(np.eye(2), [1.0, 2.0], np.nan), "none", 0.95)
