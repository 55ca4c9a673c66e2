"""Kenward–Roger and Satterthwaite: against dense algebra, and where the answer is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rbridge.core.engine.contractions import contract
from rbridge.core.fixed_effects.inference import inference
from rbridge.core.fixed_effects.kenward_roger import kenward_roger, scaling_of
from rbridge.core.fixed_effects.moments import fixed_moments
from rbridge.core.fixed_effects.parametrisation import sas_curvature
from rbridge.core.fixed_effects.satterthwaite import fai_cornelius_df
from rbridge.core.parameters import theta
from rbridge.core.snapshot import FitSnapshot
from rbridge.errors import InformationError, SpecError
from tests.support import brute, designs, oneway
from tests.support.brute_fixed import Dense
from tests.support.grades import graded

Array = np.ndarray[Any, Any]
L = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, -1.0]])
REGULAR = {
    name: fit
    for name, fit in designs.CASES.items()
    if not name.startswith(("zero", "singular")) and "ConstProp" not in name
}
FEW = {name: fit for name, fit in REGULAR.items() if name.count(" + ") < 2}
QUICK = [name for name in FEW if name.startswith(("gls + A", "slope"))]


@pytest.mark.parametrize("name", graded(FEW, QUICK))
def test_kenward_roger_is_the_paper_taken_literally(name: str) -> None:
    fit = FEW[name]
    dense, forms = Dense.of(fit, theta(fit).values), contract(fit)
    W = dense.theta_covariance()
    ours = kenward_roger(fit, forms)
    np.testing.assert_allclose(ours.vcov, dense.kr_covariance(W, second=False), rtol=1e-8)
    factor, m = dense.kr_test(W, L)
    found = ours.scaling(L)
    np.testing.assert_allclose([found.factor, found.df_den], [factor, m], rtol=1e-8)
    full = ours.moments.phi + ours.moments.bias(ours.W.matrix, np.zeros(len(W)))
    np.testing.assert_allclose(full, dense.kr_covariance(W, second=True), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("name", graded(FEW, QUICK))
def test_satterthwaite_is_a_derivative(name: str) -> None:
    fit = FEW[name]
    values = theta(fit).values
    dense = Dense.of(fit, values)
    W, phi = dense.theta_covariance(), dense.phi
    gradients = [dense.variance_gradient(fit, values, row) for row in L]
    expected = [2 * (row @ phi @ row) ** 2 / (g @ W @ g) for row, g in zip(L, gradients)]
    found = inference(fit, contract(fit), "satterthwaite", information="expected").rows(L)
    np.testing.assert_allclose(found.df, expected, rtol=1e-8)
    np.testing.assert_allclose(found.se, [np.sqrt(row @ phi @ row) for row in L], rtol=1e-10)


# Where the answer is known -----------------------------------------------------------------------


@pytest.mark.parametrize("ddf", ["kenward-roger", "satterthwaite"])
def test_the_mean_of_balanced_groups_has_groups_less_one(ddf: Any) -> None:
    fit = oneway.simulated(9, 4, tau=1.0, seed=1).snapshot()
    rows = inference(fit, contract(fit), ddf).rows([1.0])
    means = fit.y.reshape(9, 4).mean(axis=1)
    np.testing.assert_allclose(rows.df, 8, rtol=1e-9)
    np.testing.assert_allclose(rows.se, means.std(ddof=1) / 3, rtol=1e-9)


@pytest.mark.parametrize("ddf", ["kenward-roger", "satterthwaite", "residual"])
def test_least_squares_has_exact_t_and_f(ddf: Any) -> None:
    fit = designs.fit(designs.X, designs.Y)
    beta, rest = np.linalg.lstsq(fit.X, fit.y, rcond=None)[:2]
    fit = replace(fit, beta=beta, sigma=float(np.sqrt(rest[0] / (45 - 3))))
    asked = inference(fit, contract(fit), ddf)
    reduced = np.linalg.lstsq(fit.X[:, :1], fit.y, rcond=None)[1]
    F = (reduced[0] - rest[0]) / 2 / (rest[0] / 42)
    test = asked.test(np.eye(3)[1:])
    np.testing.assert_allclose([test.statistic, test.df_den], [F, 42], rtol=1e-9)
    np.testing.assert_allclose(asked.rows(np.eye(3)).df, 42, rtol=1e-9)


def unstructured(y: Array, X_rows: Array) -> FitSnapshot:
    """gls with corSymm and varIdent at the REML optimum where β is one mean a visit."""
    m, s = y.shape
    S = np.cov(y.T)
    sd = np.sqrt(np.diag(S))
    codes, visit = np.repeat(np.arange(m), s), np.tile(np.arange(s), m)
    R = (S / np.outer(sd, sd))[np.triu_indices(s, 1)]
    cor = designs.correlation("corSymm", R, codes, visit.astype(float), size=s)
    free = [False] + [True] * (s - 1)
    var = designs.variance("varIdent", sd / sd[0], codes=visit, free=free)
    fit = designs.fit(np.tile(X_rows, (m, 1)), y.ravel(), cor=cor, var=[var], sigma=float(sd[0]))
    return replace(fit, beta=np.linalg.solve(X_rows, y.mean(axis=0)))


SLEEP = np.array(
    [[0.7, 1.9], [-1.6, 0.8], [-0.2, 1.1], [-1.2, 0.1], [-0.1, -0.1]]
    + [[3.4, 4.4], [3.7, 5.5], [0.8, 1.6], [0.0, 4.6], [2.0, 3.4]]
)


@pytest.mark.parametrize("kr", ["linear", "full"])
@pytest.mark.parametrize("information", ["expected", "observed"])
def test_student_sleep_is_the_paired_t_test(kr: Any, information: Any) -> None:
    fit = unstructured(SLEEP, np.array([[1.0, 0.0], [1.0, 1.0]]))
    asked = inference(fit, contract(fit), "kenward-roger", kr=kr, information=information)
    rows = asked.rows([0.0, 1.0])
    np.testing.assert_allclose([rows.estimate[0], rows.se[0]], [1.58, 0.38895870], rtol=1e-6)
    np.testing.assert_allclose([rows.df[0], rows.p[0]], [9, 0.00283289], rtol=1e-5)


def test_several_means_are_hotellings_t_squared() -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(size=(12, 4)) @ (np.eye(4) + np.tri(4) / 2) + [0.5, 0, 1, 0.2]
    fit = unstructured(y, np.eye(4))
    centre = y.mean(axis=0)
    T2 = 12 * centre @ np.linalg.solve(np.cov(y.T), centre)
    test = inference(fit, contract(fit), "kenward-roger").test(np.eye(4))
    assert test.df_num == 4
    np.testing.assert_allclose([test.statistic, test.df_den], [T2 * 8 / (11 * 4), 8], rtol=1e-8)


def test_the_balanced_split_plot_has_its_anova() -> None:
    """Whole plots in blocks: F of the whole-plot and of the sub-plot factor, SAS's components."""
    rng = np.random.default_rng(4)
    blocks, a, b = 5, 3, 4
    y = rng.normal(size=(blocks, a, b)) + 2 * rng.normal(size=(blocks, 1, 1))
    y = y + 1.5 * rng.normal(size=(blocks, a, 1)) + np.arange(a)[:, None] + np.arange(b)
    whole, total = y.mean(axis=2), y.mean()
    ms_block = a * b * np.var(y.mean(axis=(1, 2)), ddof=1)
    fitted = whole.mean(axis=1, keepdims=True) + whole.mean(axis=0)[None] - total
    ms_whole = b * np.sum((whole - fitted) ** 2) / ((blocks - 1) * (a - 1))
    cells = y.mean(axis=0)
    error = y - whole[..., None] - cells[None] + cells.mean(axis=1)[None, :, None]
    ms_error = np.sum(error**2) / (a * (blocks - 1) * (b - 1))
    ms_a = blocks * b * np.var(cells.mean(axis=1), ddof=1)
    ms_ab = (
        blocks
        * np.sum((cells - cells.mean(axis=1)[:, None] - cells.mean(axis=0) + total) ** 2)
        / ((a - 1) * (b - 1))
    )
    assert ms_block > ms_whole > ms_error  # or the components would not be inside
    codes = np.repeat(np.arange(blocks), a * b), np.repeat(np.arange(blocks * a), b)
    one = np.ones((y.size, 1))
    levels = [
        designs.level(codes[0], one, np.array([[(ms_block - ms_whole) / (a * b)]]), group="block"),
        designs.level(codes[1], one, np.array([[(ms_whole - ms_error) / b]]), group="plot"),
    ]
    A = np.tile(np.repeat(np.eye(a), b, axis=0), (blocks, 1))
    B = np.tile(np.eye(b), (blocks * a, 1))
    A, B = A[:, 1:] - A[:, :1], B[:, 1:] - B[:, :1]
    AB = (A[:, :, None] * B[:, None]).reshape(len(A), -1)
    X = np.column_stack([one, A, B, AB])
    fit = designs.fit(X, y.ravel(), levels, sigma=float(np.sqrt(ms_error)))
    fit = replace(fit, beta=np.linalg.lstsq(X, fit.y, rcond=None)[0])
    asked, eye = inference(fit, contract(fit)), np.eye(a * b)
    for rows, F, df in (
        (slice(1, a), ms_a / ms_whole, (blocks - 1) * (a - 1)),
        (slice(a + b - 1, None), ms_ab / ms_error, a * (blocks - 1) * (b - 1)),
    ):
        test = asked.test(eye[rows])
        np.testing.assert_allclose([test.statistic, test.df_den], [F, df], rtol=1e-8)


# The full form in SAS's parameters ---------------------------------------------------------------


def arma_theta(phi: Any, gamma: Any) -> Any:
    """θ of γ(1 + 2φθ + θ²) = (1 + φθ)(φ + θ), the root inside the circle."""
    a, b, c = gamma - phi, 2 * phi * gamma - 1 - phi**2, gamma - phi
    return (-b - (b * b - 4 * a * c) ** 0.5) / (2 * a)


def sas_models() -> dict[str, tuple[FitSnapshot, Any, Array]]:
    """Fits with θ(η) and η, written by hand."""
    inner = designs.INNER
    D = [0.8, -0.2, 0.3]
    cors, var = designs.CORRELATIONS, designs.IDENT
    slope = designs.LEVELS["slope"]

    def fit(cor: Any, var: Any) -> FitSnapshot:
        return designs.fit(designs.X, designs.Y, slope, cor, [var] if var else [])

    v = 0.81 * np.array([1.0, 1.4, 0.7]) ** 2
    nugget = designs.correlation("corExp", [0.8, 0.2], inner, designs.PLACE, nugget=True)
    subject = designs.groups([3] * 13 + [2, 1, 2, 1])
    visit = np.concatenate([np.arange(k) for k in designs.sizes(subject)])
    few = designs.correlation("corSymm", [0.3, 0.1, 0.2], subject, visit.astype(float), size=3)
    by_visit = replace(var, codes=visit)
    pairs = [(0, 1), (0, 2), (1, 2)]
    c = [r * np.sqrt(v[i] * v[j]) for r, (i, j) in zip([0.3, 0.1, 0.2], pairs)]
    return {
        "AR(1)": (fit(cors["AR1"], None), lambda e: e, np.array([*D, 0.4, 0.81])),
        "ARH(1)": (
            fit(cors["AR1"], var),
            lambda e: np.array([*e[:4], (e[4] / e[6]) ** 0.5, (e[5] / e[6]) ** 0.5, e[6]]),
            np.array([*D, 0.4, v[1], v[2], v[0]]),
        ),
        "strata": (
            fit(None, var),
            lambda e: np.array([*e[:3], (e[3] / e[5]) ** 0.5, (e[4] / e[5]) ** 0.5, e[5]]),
            np.array([*D, v[1], v[2], v[0]]),
        ),
        "CS": (
            fit(cors["CompSymm"], None),
            lambda e: np.array([*e[:3], e[3] / (e[3] + e[4]), e[3] + e[4]]),
            np.array([*D, 0.3 * 0.81, 0.7 * 0.81]),
        ),
        "AR(1) with gaps": (
            fit(cors["ARMA(1,0) gaps"], None),
            lambda e: e,
            np.array([*D, 0.4, 0.81]),
        ),
        "ARMA(1,1)": (
            fit(designs.correlation("corARMA", [0.4, 0.3], inner, designs.TIME, p=1, q=1), None),
            lambda e: np.array([*e[:4], arma_theta(e[3], e[4]), e[5]]),
            np.array([*D, 0.4, 1.12 * 0.7 / 1.33, 0.81]),
        ),
        "nugget": (
            fit(nugget, None),
            lambda e: np.array([*e[:4], e[4] / (e[4] + e[5]), e[4] + e[5]]),
            np.array([*D, 0.8, 0.2 * 0.81, 0.8 * 0.81]),
        ),
        "UN": (
            designs.fit(designs.X, designs.Y, (), few, [by_visit]),
            lambda e: np.array(
                [e[0] / (e[5] * e[3]) ** 0.5, e[1] / (e[5] * e[4]) ** 0.5]
                + [e[2] / (e[3] * e[4]) ** 0.5, (e[3] / e[5]) ** 0.5, (e[4] / e[5]) ** 0.5, e[5]]
            ),
            np.array([*c, v[1], v[2], v[0]]),
        ),
    }


SAS = sas_models()


@pytest.mark.parametrize("fit, to_theta, eta", SAS.values(), ids=SAS)
def test_the_full_form_in_sas_parameters(fit: FitSnapshot, to_theta: Any, eta: Array) -> None:
    np.testing.assert_allclose(to_theta(eta), theta(fit).values, rtol=1e-12)
    dense = Dense.at(lambda e: brute.covariance(fit, to_theta(e)), eta, fit.X)
    expected = dense.kr_covariance(dense.theta_covariance(), second=True)
    ours = kenward_roger(fit, contract(fit), form="full")
    np.testing.assert_allclose(ours.vcov, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["strata", "CS", "UN"])
def test_where_v_is_linear_both_forms_are_one(name: str) -> None:
    fit = SAS[name][0]
    linear, full = (
        kenward_roger(fit, contract(fit), form=form).vcov for form in ("linear", "full")
    )
    np.testing.assert_allclose(full, linear, rtol=1e-9)


def test_the_curvature_matters_where_theta_is_not_sas() -> None:
    fit = SAS["ARH(1)"][0]
    W = kenward_roger(fit, contract(fit)).W.matrix
    assert np.abs(sas_curvature(fit, W)).max() > 1e-3
    assert not sas_curvature(SAS["AR(1)"][0], np.eye(5)).any()


# What is refused, and odd places ------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, what",
    [
        ("gls + Ratio maximum", "SAS has no corRatio"),
        ("gls + ARMA(2,1)", "SAS has no corARMA"),
        ("gls + Power", "SAS has no varPower"),
        ("gls + Comb", "SAS has no varIdent and varExp"),
    ],
)
def test_the_full_form_is_refused_where_sas_has_no_parameters(name: str, what: str) -> None:
    fit = designs.CASES[name]
    with pytest.raises(SpecError, match=f"{what}.*use kr='linear'"):
        kenward_roger(fit, contract(fit), form="full")


def test_maximum_likelihood_is_refused() -> None:
    fit = replace(designs.CASES["slope"], method="ML")
    with pytest.raises(SpecError, match="refit with method='REML'"):
        inference(fit, contract(fit))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"ddf": "kenward"}, "ddf must be one of"),
        ({"vcov": "CR1"}, "vcov must be one of"),
        ({"information": "average"}, "information must be one of"),
        ({"kr": "SAS"}, "kr must be one of"),
        ({"kr": "full", "ddf": "normal"}, "is for ddf='kenward-roger'"),
        ({"information": "expected", "ddf": "normal"}, "information is for"),
        ({"vcov": "CR2", "ddf": "kenward-roger"}, "use ddf='satterthwaite'"),
        ({"cluster": np.zeros(45)}, "cluster is for vcov"),
    ],
)
def test_arguments_that_do_not_go_together(arguments: dict[str, Any], message: str) -> None:
    fit = designs.CASES["slope"]
    with pytest.raises(SpecError, match=message):
        inference(fit, contract(fit), **arguments)


def test_observed_information_that_is_not_positive_names_the_way_out() -> None:
    fit = designs.CASES["slope"]  # no optimum: the Hessian has a negative direction there
    with pytest.raises(InformationError, match="try information='expected'"):
        inference(fit, contract(fit), "satterthwaite")


def test_an_ill_conditioned_design_loses_no_digits() -> None:
    """Raw powers of a year: the slope at 2000 is the same number as in centred years."""
    year = 2000 + designs.TIME
    raw, centred = (np.column_stack([np.ones(45), t, t**2]) for t in (year, year - 2000))
    fits = [designs.fit(X, designs.Y, designs.LEVELS["intercept"]) for X in (raw, centred)]
    slopes = [np.array([0.0, 1.0, 4000.0]), np.array([0.0, 1.0, 0.0])]
    asked = [inference(fit, contract(fit)) for fit in fits]
    se, df = zip(*((a.rows(row).se[0], a.rows(row).df[0]) for a, row in zip(asked, slopes)))
    np.testing.assert_allclose([se[0], df[0]], [se[1], df[1]], rtol=1e-5)


def test_nothing_unknown_in_theta_leaves_the_normal_distribution() -> None:
    fit = replace(designs.fit(designs.X, designs.Y), fixed_sigma=True)
    asked = inference(fit, contract(fit))
    test = asked.test(np.eye(3)[1:])
    assert np.isinf(asked.rows(np.eye(3)).df).all() and np.isinf(test.df_den)
    np.testing.assert_allclose(asked.vcov, fixed_moments(contract(fit)).phi, rtol=1e-12)


def test_m_that_is_not_positive_is_absent_with_a_reason() -> None:
    found = scaling_of(8.0, 8.0, 2)
    assert np.isnan(found.df_den) and "too few groups" in found.note


@pytest.mark.parametrize("q", [1, 2, 3, 5])
@pytest.mark.parametrize("beyond", [1, 2, 3, 7])
def test_the_scale_is_hotellings_wherever_it_exists(q: int, beyond: int) -> None:
    """n − 1 = ν: A₁ = 2q/ν, A₂ = q(q + 1)/ν; F(q, ν − q + 1) of T²(ν − q + 1)/(νq)."""
    nu = q + beyond - 1
    found = scaling_of(2 * q / nu, q * (q + 1) / nu, q)
    np.testing.assert_allclose([found.df_den, found.factor], [beyond, beyond / nu], rtol=1e-7)


@pytest.mark.parametrize(
    "nu, df",
    [
        ([7.0], 7.0),
        ([7.0, 7.0, 7.0], 7.0),
        ([4.0, 6.0], 2 * 3.5 / 1.5),  # E = 4/2 + 6/4
        ([1.5, 30.0], 2.0),
        ([np.inf, np.inf], np.inf),
        ([np.inf, 4.0], 2 * 3 / 1),  # E = 1 + 2
    ],
)
def test_fai_cornelius(nu: list[float], df: float) -> None:
    np.testing.assert_allclose(fai_cornelius_df(np.array(nu)), df)
