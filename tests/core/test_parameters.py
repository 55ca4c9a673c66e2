"""The maps between nlme's coding and the natural parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rbridge.core.derivatives import complex_step, differences
from rbridge.core.parameters import (
    jacobian,
    natural_from_unconstrained,
    tau_basis,
    theta,
    unconstrained_from_natural,
)
from rbridge.errors import SnapshotError
from tests.support import synthetic as make
from tests.support.grades import graded
from tests.support.references import INTERVALS, WITH_APVAR, interval_fit

ABC = ("a", "b", "c")
ABCD = ("a", "b", "c", "d")


def of(*levels: Any, natural: bool = True, **parts: Any) -> Any:
    """A snapshot of these structures that has Pars only to say ``natural``."""
    return make.snapshot(*levels, apvar=make.apvar([0.0], natural=natural), **parts)


def one(pd_class: str, names: tuple[str, ...] = ABC) -> Any:
    return make.level("g", make.block(pd_class, names, "f"))


STRUCTURES = {
    "natural": of(one("pdNatural")),
    "natural of LogChol": of(one("pdLogChol", ABCD)),
    "LogChol": of(one("pdLogChol", ABCD), natural=False),
    "Symm": of(one("pdSymm"), natural=False),
    "Diag": of(one("pdDiag")),
    "Ident": of(one("pdIdent")),
    "CompSymm": of(one("pdCompSymm")),
    "Blocked": of(
        make.level("g", make.block("pdSymm", ("c", "a")), make.block("pdCompSymm", ("d", "b", "e")))
    ),
    "levels": of(
        make.level("outer", make.block("pdLogChol", ("x", "y"))),
        make.level("inner", make.block("pdDiag", ("x", "z"))),
    ),
    "AR1": of(one("pdIdent", ("a",)), cor=make.correlation("corAR1", [0.5])),
    "CAR1": of(cor=make.correlation("corCAR1", [0.5])),
    "corCompSymm": of(cor=make.correlation("corCompSymm", [0.5], lower=-1 / 3, size=4)),
    "corSymm": of(cor=make.correlation("corSymm", [0.1] * 6, size=4)),
    "corNatural": of(cor=make.correlation("corNatural", [0.1] * 3, size=3)),
    "spherical": of(cor=make.correlation("corSymm", [0.1] * 6, size=4), natural=False),
    "ARMA": of(cor=make.correlation("corARMA", [0.1] * 5, p=3, q=2)),
    "Exp": of(cor=make.correlation("corExp", [1.0])),
    "Gaus": of(cor=make.correlation("corGaus", [1.0, 0.2], nugget=True)),
    "Ratio": of(cor=make.correlation("corRatio", [1.0, 0.2], nugget=True)),
    "Lin": of(cor=make.correlation("corLin", [2.0], min_distance=1.2)),
    "Spher": of(cor=make.correlation("corSpher", [2.0, 0.2], min_distance=1.2, nugget=True)),
    "varIdent": of(var=(make.variance("varIdent", [1, 2, 3], free=[False, True, True]),)),
    "varPower": of(var=(make.variance("varPower", [0.5]),)),
    "varExp": of(var=(make.variance("varExp", [0.5, 0.2], free=[True, False]),)),
    "varConstPower": of(
        var=(make.variance("varConstPower", [1, 2, 3, 4], free=[True, False, True, True]),)
    ),
    "varConstProp": of(var=(make.variance("varConstProp", [1, 2]),)),
    "varComb": of(
        var=(
            make.variance("varIdent", [1, 2], free=[False, True], tag="A"),
            make.variance("varPower", [1], tag="B"),
        )
    ),
    "varFixed, fixed sigma": of(
        one("pdDiag"), var=(make.variance("varFixed", []),), fixed_sigma=True
    ),
    "fixed correlation": of(one("pdDiag"), cor=make.correlation("corAR1", [0.5], fixed=True)),
}


def size(snapshot: Any) -> int:
    return len(theta(snapshot).names)


def values(snapshot: Any, *u: float) -> Any:
    return natural_from_unconstrained(snapshot, np.array(u))


@pytest.mark.parametrize("name", graded(STRUCTURES, ["natural", "AR1", "varConstPower"]))
@given(data=st.data())
def test_there_and_back(name: str, data: Any) -> None:
    snapshot = STRUCTURES[name]
    u = data.draw(arrays(float, size(snapshot), elements=st.floats(-1, 1)))
    back = unconstrained_from_natural(snapshot, natural_from_unconstrained(snapshot, u))
    np.testing.assert_allclose(back, u, atol=1e-9)


@pytest.mark.parametrize("snapshot", STRUCTURES.values(), ids=STRUCTURES)
def test_jacobian_agrees_with_differences(snapshot: Any) -> None:
    u = np.random.default_rng(1).normal(size=size(snapshot)) * 0.8
    exact = jacobian(snapshot, u)
    numeric, error = differences(
        lambda point: natural_from_unconstrained(snapshot, point), u, [np.ones(len(u))]
    )
    assert error.max() < 1e-9
    np.testing.assert_allclose(exact, numeric, atol=1e-9 * np.abs(exact).max())


def test_jacobian_of_the_matrix_exponential_where_eigenvalues_meet() -> None:
    u = np.zeros(7)
    expected = np.zeros((7, 7))
    expected[np.arange(7), np.arange(7)] = 2  # D = exp(2S) ≈ I + 2S at S = 0, and σ²
    np.testing.assert_allclose(jacobian(STRUCTURES["Symm"], u), expected, atol=1e-14)


def test_jacobian_closed_form() -> None:
    # nlme-parameters.md §2: θ = (var₁, cov, var₂, σ²), u = (log sd₁, log sd₂, T⁻¹ρ, log σ)
    snapshot = of(one("pdLogChol", ("a", "b")))
    s1, s2, rho, sigma = 2.3, 0.4, -0.6, 1.3
    u = np.array([np.log(s1), np.log(s2), np.log((1 + rho) / (1 - rho)), np.log(sigma)])
    cov = rho * s1 * s2
    expected = [
        [2 * s1**2, 0, 0, 0],
        [cov, cov, s1 * s2 * (1 - rho**2) / 2, 0],
        [0, 2 * s2**2, 0, 0],
        [0, 0, 0, 2 * sigma**2],
    ]
    np.testing.assert_allclose(jacobian(snapshot, u), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", WITH_APVAR)
def test_pars_of_nlme_decode_to_its_own_estimates(name: str) -> None:
    snapshot = interval_fit(name)
    u = np.array(INTERVALS[name]["apvar"]["pars"])
    natural = theta(snapshot)
    assert len(natural.kinds) == len(natural.names)
    np.testing.assert_allclose(natural_from_unconstrained(snapshot, u), natural.values, rtol=1e-12)
    np.testing.assert_allclose(unconstrained_from_natural(snapshot, natural.values), u, atol=1e-10)


def test_numbers_seen_in_r() -> None:
    """Printed by R for the models that nlme-parameters.md names."""
    near = dict(rtol=2e-6)
    orthodont = of(one("pdLogChol", ("a", "b")))
    D = values(orthodont, 0.8445945, -1.4853292, -1.4157191, 0.2700574)[:3]
    sd = [2.327034, 0.2264278]
    np.testing.assert_allclose(D, [sd[0] ** 2, -0.6093329 * sd[0] * sd[1], sd[1] ** 2], **near)
    cholesky = of(one("pdLogChol", ("a", "b")), natural=False)
    np.testing.assert_allclose(
        values(cholesky, 0.8445945, -1.7173690, -0.1379699, 0)[:3], D, **near
    )
    machines = values(STRUCTURES["natural"], 0, 0, 0, 2.21260, 1.45817, 2.04474, 0)
    np.testing.assert_allclose(machines[[1, 3, 4]], [0.80275, 0.62250, 0.77083], rtol=1e-5)
    sym = values(STRUCTURES["CompSymm"], 1.80231, 1.08690, 0)
    np.testing.assert_allclose(sym[:2], 6.063654**2 * np.array([1, 0.6216957]), rtol=1e-5)


@pytest.mark.parametrize(
    ("cor", "u", "expected"),
    [
        (make.correlation("corAR1", [0]), [1.96066], [0.753208]),
        (
            make.correlation("corARMA", [0] * 3, p=3),
            [1.95308, 0.406514, 0.150760],
            [0.585787, 0.155296, 0.0752373],
        ),
        (
            make.correlation("corARMA", [0] * 3, q=3),
            [0.890732, 0.733962, 0.459804],
            [0.644357, 0.478996, 0.225935],
        ),
        (
            make.correlation("corARMA", [0] * 2, p=1, q=1),
            [2.85167, -0.729987],
            [0.89081, -0.349605],
        ),
        (make.correlation("corCompSymm", [0], lower=-1 / 3), [0.963783], [0.631838]),
        (make.correlation("corCAR1", [0]), [-6.0741], [0.00229643]),
        (
            make.correlation("corRatio", [0] * 2, nugget=True),
            [2.59982, -1.42691],
            [13.4613, 0.19358],
        ),
        (make.correlation("corSpher", [0], min_distance=1.2), [2.37692], [11.9717]),
        (make.correlation("corExp", [0]), [1.58645], [4.88639]),
    ],
)
def test_correlations_seen_in_r(cor: Any, u: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(values(of(cor=cor), *u, 0.0)[:-1], expected, rtol=1e-5)


def test_labels_are_those_of_lmeinfo() -> None:
    snapshot = of(
        make.level("school", make.block("pdLogChol", ("(Intercept)", "age", "x"))),
        make.level("child", make.block("pdDiag", ("(Intercept)", "age"))),
        cor=make.correlation("corARMA", [0.1, 0.2], p=2),
        var=(make.variance("varPower", [0.5]),),
    )
    assert theta(snapshot).names == (
        "Tau.school.var((Intercept))",
        "Tau.school.cov(age,(Intercept))",
        "Tau.school.var(age)",
        "Tau.school.cov(x,(Intercept))",
        "Tau.school.cov(x,age)",
        "Tau.school.var(x)",
        "Tau.child.var((Intercept))",
        "Tau.child.var(age)",
        "cor_params1",
        "cor_params2",
        "var_params",
        "sigma_sq",
    )
    variance, covariance = "variance", "covariance"
    assert theta(snapshot).kinds[:6] == (
        variance, covariance, variance, covariance, covariance, variance
    )  # fmt: skip
    assert theta(snapshot).kinds[8:] == ("coefficient", "coefficient", "coefficient", variance)


def test_labels_of_classes_that_lmeinfo_does_not_do() -> None:
    level = make.level(
        "g",
        make.block("pdIdent", ("(Intercept)",), "1"),
        make.block("pdIdent", ("a", "b"), "f - 1"),
        make.block("pdCompSymm", ("c", "d"), "h - 1"),
    )
    labels, E = tau_basis(level)
    assert labels == (
        "Tau.g.var((Intercept))",
        "Tau.g.var(f - 1)",
        "Tau.g.var(h - 1)",
        "Tau.g.cov(h - 1)",
    )
    np.testing.assert_array_equal(E[1], np.diag([0, 1, 1, 0, 0]))
    assert E[3][3, 4] == E[3][4, 3] == 1 and E[3].sum() == 2


def test_basis_follows_names_not_positions() -> None:
    level = make.level("g", make.block("pdLogChol", ("b", "a")), make.block("pdIdent", ("c",)))
    D = np.array([[1.0, 0, 4], [0, 2, 0], [4, 0, 3]])
    permuted = replace(level, names=("a", "c", "b"), D=D)
    natural = theta(make.snapshot(permuted))
    assert dict(zip(natural.names, natural.values)) == {
        "Tau.g.var(b)": 3, "Tau.g.cov(a,b)": 4, "Tau.g.var(a)": 1, "Tau.g.var(c)": 2, "sigma_sq": 1
    }  # fmt: skip


def test_fixed_parts_are_no_parameters() -> None:
    snapshot = of(
        one("pdIdent", ("a",)),
        cor=make.correlation("corAR1", [0.5], fixed=True),
        var=(make.variance("varIdent", [1, 2, 3], free=[False, True, False]),),
        fixed_sigma=True,
    )
    assert theta(snapshot).names == ("Tau.g.var(a)", "var_params")
    np.testing.assert_allclose(theta(snapshot).values, [1, 2])


def test_inner_level_comes_first_in_pars() -> None:
    snapshot = STRUCTURES["levels"]
    tau = values(snapshot, np.log(7), np.log(5), np.log(2), np.log(3), 0, 0)
    np.testing.assert_allclose(tau, [4, 0, 9, 49, 25, 1])


def test_wrong_length_says_what_was_expected() -> None:
    snapshot = of(one("pdLogChol", ("a", "b")), cor=make.correlation("corAR1", [0.5]))
    with pytest.raises(
        SnapshotError, match="expected 5 values: 3 for pdLogChol of g, 1 for corAR1"
    ):
        natural_from_unconstrained(snapshot, np.zeros(4))


def test_two_parameters_of_one_name_are_refused() -> None:
    twice = of(one("pdDiag", ("a",)), one("pdDiag", ("a",)))
    with pytest.raises(SnapshotError, match=r"same name: Tau\.g\.var\(a\)"):
        theta(twice)


def test_unknown_classes_are_refused() -> None:
    with pytest.raises(SnapshotError, match="pdKronecker"):
        theta(of(one("pdKronecker")))
    with pytest.raises(SnapshotError, match="corHF"):
        values(of(cor=make.correlation("corHF", [1.0])), 0, 0)


def test_block_of_other_effects_is_refused() -> None:
    level = make.level("g", make.block("pdDiag", ("a",)))
    broken = replace(level, blocks=(make.block("pdDiag", ("z",)),))
    with pytest.raises(SnapshotError, match=r"g: \['z'\]"):
        tau_basis(broken)


def test_complex_step_is_exact() -> None:
    np.testing.assert_allclose(
        complex_step(lambda x: np.array([np.exp(x[0]) * x[1]]), np.array([1.5, 2.0])),
        [[2 * np.exp(1.5), np.exp(1.5)]],
        rtol=1e-15,
    )
