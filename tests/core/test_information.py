"""The information matrices: against dense algebra, a numerical Hessian, lmeInfo and themselves."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbridge.core.engine import layout
from rbridge.core.engine.absorb import Moments
from rbridge.core.engine.contractions import absorbed, contract
from rbridge.core.engine.dense import dense_forms
from rbridge.core.engine.model import Model, model_at
from rbridge.core.information import (
    Kind,
    information,
    information_from,
    inverse_information,
    stratum_variances,
)
from rbridge.core.likelihood import log_likelihood
from rbridge.core.parameters import theta
from rbridge.core.snapshot import CorStruct, FitSnapshot, PdBlock
from rbridge.errors import InformationError, SpecError
from tests.support import brute, designs, references
from tests.support.grades import graded

Array = np.ndarray[Any, Any]
KINDS: tuple[Kind, ...] = get_args(Kind)
LINEAR = {name: fit for name, fit in designs.CASES.items() if fit.cor is None and not fit.var}


def assert_close(actual: Array, expected: Array, tolerance: float) -> None:
    """Equal, every parameter in units of its own information."""
    scale = np.sqrt(np.abs(np.diagonal(expected)))
    scale[scale == 0] = 1.0
    np.testing.assert_allclose(
        actual / scale / scale[:, None], expected / scale / scale[:, None], rtol=0, atol=tolerance
    )


@pytest.mark.parametrize("name", graded(designs.FITS, designs.QUICK))
def test_absorption_is_the_dense_algebra(name: str) -> None:
    fit = designs.FITS[name]
    forms = contract(fit)
    oracle = dense_forms(fit, model_at(fit), forms.method, "oracle")
    assert (forms.path, forms.reason) == ("absorption", "")
    for kind in KINDS:
        ours, literal = (information_from(x, kind).matrix for x in (forms, oracle))
        assert_close(ours, literal, 1e-10)
        np.testing.assert_array_equal(ours.shape, (len(theta(fit).names),) * 2)
    for field in fields(forms.fixed):
        ours, literal = (getattr(x.fixed, field.name) for x in (forms, oracle))
        scale = np.abs(literal).max(initial=1.0)
        np.testing.assert_allclose(ours / scale, literal / scale, atol=1e-8)


@pytest.mark.parametrize("name", designs.QUICK)
def test_the_expected_information_does_not_read_the_response(name: str) -> None:
    fit = replace(designs.FITS[name])
    expected = dense_forms(fit, model_at(fit), fit.method, "oracle").trace2 / 2
    assert_close(information(fit).matrix, expected, 1e-10)
    assert layout.layout(fit, response=False).y is None
    forms = contract(fit)  # which reads it, though a layout without it is known
    assert layout.layout(fit, response=False).y is not None
    assert_close(information(fit).matrix, expected, 1e-10)
    assert forms.quad == pytest.approx(contract(replace(fit)).quad, rel=1e-12)


@pytest.mark.parametrize("name", designs.SINGLE)
def test_a_fixed_sigma_takes_its_row_and_column_away(name: str) -> None:
    fit = designs.CASES[name]
    free, fixed = contract(fit), contract(replace(fit, fixed_sigma=True))
    for kind in KINDS:
        expected = information_from(free, kind).matrix[:-1, :-1]
        assert_close(information_from(fixed, kind).matrix, expected, 1e-12)


TOGETHER = ("1 + Comb", "Exp nugget + ConstPower")
HESSIANS = [
    name
    for name in designs.FITS
    if (structures := name.rpartition(", ")[0]) in designs.SINGLE or structures.endswith(TOGETHER)
]


@pytest.mark.parametrize("name", graded(HESSIANS, designs.QUICK))
def test_observed_is_minus_the_hessian(name: str) -> None:
    fit = designs.FITS[name]
    values = theta(fit).values
    if "zero" in name or "singular" in name:  # differences need a neighbourhood: go inside
        values = values + 0.05
    expected = -brute.hessian(fit, values)
    assert_close(information(fit, "observed", values).matrix, expected, 1e-6)


@pytest.mark.parametrize("fit", LINEAR.values(), ids=LINEAR)
def test_linear_reml_observed_is_twice_average_less_expected(fit: FitSnapshot) -> None:
    forms = contract(fit, method="REML")
    expected, average, observed = (information_from(forms, kind).matrix for kind in KINDS)
    assert_close(observed, 2 * average - expected, 1e-12)


@pytest.mark.parametrize("kind", ["expected", "average"])
@pytest.mark.parametrize("name", references.INFORMATION)
def test_lmeinfo(name: str, kind: Kind) -> None:
    model = references.INFORMATION[name]
    ours = information(references.information_fit(name), kind)
    assert ours.names == tuple(model["names"])
    assert_close(ours.matrix, np.array(model[kind]), 1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_seed(kind: Kind) -> None:
    """Orthodont is balanced: Var(cov) is the same by all three."""
    result = information(references.information_fit("Orthodont REML"), kind)
    at = result.names.index("Tau.Subject.cov(age,(Intercept))")
    np.testing.assert_allclose(result.inverse()[at, at], 0.1724309, atol=5e-7)


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("q", [1, 2, 3])
def test_one_level_is_the_recursion(q: int, size: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of one to five rows, so that Z'Z of some is singular; columns of Z outside X."""
    rng = np.random.default_rng(q)
    codes = designs.groups([1, 2, 3, 4, 5, 1, 2, 2, 3, 5])
    Z = np.column_stack([np.ones(len(codes)), rng.normal(size=(len(codes), 2))])[:, :q]
    A = rng.normal(size=(q, q))
    fit = designs.fit(
        np.column_stack([np.ones(len(codes)), rng.normal(size=len(codes))]),
        100 + rng.normal(size=len(codes)),
        [designs.level(codes, Z, size * A @ A.T)],
    )
    quick = contract(fit)
    monkeypatch.setattr("rbridge.core.engine.contractions.one_level", _by_recursion)
    slow = contract(fit)
    near = 1e-10 * max(size, 1.0)  # the recursion subtracts, and so loses what D has more than σ²
    for name in ("log_det", "quad", "trace1", "quad1", "trace2", "quad2", "quad2_fixed"):
        ours, theirs = getattr(quick, name), getattr(slow, name)
        np.testing.assert_allclose(ours, theirs, rtol=near, err_msg=name)
    for name in ("cross", "cross1", "cross2", "residual1"):
        ours, theirs = getattr(quick.fixed, name), getattr(slow.fixed, name)
        close = 1e-10 * np.abs(theirs).max()
        np.testing.assert_allclose(ours, theirs, rtol=near, atol=close, err_msg=name)


@pytest.mark.parametrize("var_class", ["varIdent", "varPower", "varConstPower", "varExp"])
def test_strata_are_their_rows(var_class: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cross-products by stratum against a weight for each row; both against dense algebra."""
    rng = np.random.default_rng(3)
    codes = designs.groups([6, 9, 7, 8, 11, 7])
    n, Z = len(codes), np.ones((len(codes), 1))
    X, y = np.column_stack([Z, rng.normal(size=n)]), rng.normal(size=n)
    strata = rng.integers(0, 2, n)
    if var_class == "varIdent":
        var = designs.variance(var_class, [1.0, 1.7], codes=strata, free=[False, True])
    else:
        values = [0.7, 0.4] if "Const" in var_class else [0.7]
        var = designs.variance(var_class, values, 1.0 + 2 * strata)
    fit = designs.fit(X, y, [designs.level(codes, Z, np.eye(1))], var=[var])
    assert layout.layout(fit).strata is not None
    grouped = contract(fit)
    monkeypatch.setattr(layout, "_MOST_STRATA", 0)
    again = replace(fit)
    assert layout.layout(again).strata is None
    exact = dense_forms(fit, model_at(fit), "REML", "oracle")
    for forms in (grouped, contract(again)):
        assert forms.log_likelihood == pytest.approx(exact.log_likelihood, rel=1e-12)
        for name in ("trace1", "quad1", "trace2", "quad2", "quad2_fixed", "trace3", "quad3"):
            ours, theirs = getattr(forms, name), getattr(exact, name)
            close = 1e-12 * np.abs(theirs).max(initial=0)
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=close, err_msg=name)


def _by_recursion(design: layout.Layout, model: Model, derivatives: bool) -> Moments:
    return absorbed(design, model, 0, design.n, derivatives)


# What must not matter ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "slope",
        "nested",
        "repeated",
        "slope + ARMA(2,1)",
        "nested + Comb",
        "gls + AR1",
        "gls + Comb",
    ],
)
def test_cutting_into_chunks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = designs.CASES[name]
    whole = contract(fit)
    monkeypatch.setattr(layout, "CHUNK", 7)
    monkeypatch.setattr(layout, "CELLS", 2)
    pieces = contract(fit)
    for kind in KINDS:
        expected = information_from(whole, kind).matrix
        assert_close(information_from(pieces, kind).matrix, expected, 1e-12)
    np.testing.assert_allclose(pieces.log_likelihood, whole.log_likelihood, rtol=1e-13)


def reordered(fit: FitSnapshot, rows: Array) -> FitSnapshot:
    """The fit with its rows in another order that still keeps the groups together."""

    def codes(old: Array | None) -> Array | None:
        return None if old is None else np.cumsum(np.diff(old[rows], prepend=old[rows[0]]) != 0)

    def taken(old: Array | None) -> Array | None:
        return None if old is None else old[rows]

    levels = tuple(
        replace(lv, Z=lv.Z[rows], codes=codes(lv.codes), group=f"other_{lv.group}")
        for lv in fit.levels
    )
    cor = fit.cor and replace(
        fit.cor, codes=codes(fit.cor.codes), covariate=fit.cor.covariate[rows]
    )
    var = tuple(replace(v, codes=taken(v.codes), covariate=taken(v.covariate)) for v in fit.var)
    return replace(fit, y=fit.y[rows], X=fit.X[rows], levels=levels, cor=cor, var=var)


@settings(max_examples=40)
@given(
    name=st.sampled_from(["nested", "gls + CAR1", "nested + Exp nugget", "slope + Comb"]),
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**16),
)
def test_order_and_names_of_groups_and_rows(name: str, kind: Kind, seed: int) -> None:
    rng = np.random.default_rng(seed)
    keys = [rng.random(len(designs.INNER))[c] for c in (designs.INNER, designs.MIDDLE)]
    rows = np.lexsort((rng.random(designs.N), *keys, rng.random(4)[designs.OUTER]))
    fit = designs.CASES[name]
    other = information(reordered(fit, rows), kind)
    assert_close(other.matrix, information(fit, kind).matrix, 1e-10)
    assert len(set(other.names) - set(theta(fit).names)) == sum(len(E) for E in model_at(fit).E)


@pytest.mark.parametrize("name", ["slope", "gls + AR1", "nested + Comb"])
def test_fixed_effects_do_not_matter(name: str) -> None:
    """β is eliminated: neither its estimate in the snapshot nor Xβ in y changes anything."""
    fit = designs.CASES[name]
    moved = replace(fit, beta=fit.beta + 3.0, y=fit.y + fit.X @ [5.0, -2.0, 1.0])
    for kind in KINDS:
        assert_close(information(moved, kind).matrix, information(fit, kind).matrix, 1e-10)


@pytest.mark.parametrize("cor", [None, designs.CORRELATIONS["AR1"]])
@pytest.mark.parametrize("kind", KINDS)
def test_an_ill_conditioned_design(kind: Kind, cor: CorStruct | None) -> None:
    """A raw polynomial in the calendar year spans what the centred one does."""
    fit = replace(designs.CASES["slope"], cor=cor)
    raw, centred = (
        replace(fit, X=np.vander(designs.TIME + origin, 3, increasing=True)) for origin in (2020, 0)
    )
    raw = replace(raw, beta=0 * raw.beta)
    assert_close(information(raw, kind).matrix, information(centred, kind).matrix, 1e-6)
    np.testing.assert_allclose(log_likelihood(raw), log_likelihood(centred), rtol=1e-8)


# The edges ---------------------------------------------------------------------------------------


def test_groups_that_do_not_nest_take_the_dense_path() -> None:
    across = np.arange(designs.N) // 4
    cor = replace(designs.CORRELATIONS["CAR1"], codes=across, covariate=np.arange(45.0)[:, None])
    fit = replace(designs.CASES["slope"], cor=cor)
    result = information(fit, "observed")
    assert result.path == "dense"
    assert result.reason == "the groups of correlation cut across those of g"
    assert_close(result.matrix, -brute.hessian(fit, theta(fit).values), 1e-6)


def test_singular_information_names_the_parameters() -> None:
    twice = (
        designs.level(designs.OUTER, designs.Z1, designs.D1, group="a"),
        designs.level(designs.OUTER, designs.Z1, designs.D1, group="b"),
    )
    result = information(replace(designs.CASES["two"], levels=twice))
    assert result.condition > 1e12
    with pytest.raises(InformationError, match=r"singular in Tau.a.var\(z0\), Tau.b.var\(z0\):"):
        result.inverse()


def test_indefinite_information_is_refused() -> None:
    with pytest.raises(InformationError, match="negative direction in a, b"):
        inverse_information(np.array([[1.0, 2.0], [2.0, 1.0]]), ["a", "b"])
    with pytest.raises(InformationError, match="singular in b"):
        inverse_information(np.diag([1.0, 0.0]), ["a", "b"])


def test_inverse_and_condition() -> None:
    result = information(designs.CASES["slope"])
    r = len(result.names)
    np.testing.assert_allclose(result.inverse() @ result.matrix, np.eye(r), atol=1e-12)
    assert 1 < result.condition < 1e3


def test_a_singular_design_is_reported() -> None:
    fit = designs.CASES["slope"]
    X = np.column_stack([fit.X[:, :2], fit.X[:, 1]])
    with pytest.raises(InformationError, match="fixed-effects design is singular"):
        information(replace(fit, X=X))


@pytest.mark.parametrize("name", ["slope", "slope + AR1", "gls + Ident"])
def test_no_fixed_effects_at_all(name: str) -> None:
    fit = designs.CASES[name]
    none = dict.fromkeys(("beta", "std_error", "df"), np.empty(0))
    fit = replace(fit, X=np.empty((designs.N, 0)), coef_names=(), vcov=np.empty((0, 0)), **none)
    for kind in KINDS:
        matrices = [information(fit, kind, method=method).matrix for method in ("REML", "ML")]
        assert_close(matrices[0], matrices[1], 1e-12)
    assert_close(matrices[0], -brute.hessian(fit, theta(fit).values), 1e-6)


def test_a_row_without_variance_is_reported() -> None:
    var = designs.variance("varPower", [0.5], np.where(designs.AGE < 1, 0.0, designs.AGE))
    with pytest.raises(InformationError, match="varPower gives a row no variance"):
        information(replace(designs.CASES["slope"], var=(var,)))


def test_unknown_kind_is_named() -> None:
    with pytest.raises(
        ValueError, match="kind must be one of expected, average, observed, not 'guessed'"
    ):
        information(designs.CASES["slope"], "guessed")  # type: ignore[arg-type]


# Strata ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["slope + Ident", "slope + Comb", "gls + Ident"])
@pytest.mark.parametrize("fixed", [False, True])
def test_stratum_variances(name: str, fixed: bool) -> None:
    fit = replace(designs.CASES[name], fixed_sigma=fixed)
    result = stratum_variances(fit)
    assert result.names[-3:] == ("sigma_sq.s0", "sigma_sq.s1", "sigma_sq.s2")
    np.testing.assert_allclose(result.values[-3:], 0.81 * np.array([1.0, 1.4, 0.7]) ** 2)
    assert len(result.kinds) == len(result.names) == len(result.values)
    start = theta(fit).values

    def values(point: Array) -> Array:
        model = model_at(fit, point)
        ident = model.var_coefs[0]
        kept = [x for x, n in zip(point, model.names) if n in result.names]
        return np.array([*kept, *(model.sigma_sq * ident**2)])

    h = 1e-6
    slopes = [(values(start + h * e) - values(start - h * e)) / (2 * h) for e in np.eye(len(start))]
    np.testing.assert_allclose(result.jacobian, np.transpose(slopes), atol=1e-9)


def test_stratum_variances_need_strata() -> None:
    with pytest.raises(SpecError, match="exactly one varIdent"):
        stratum_variances(designs.CASES["slope"])


def test_crossed_effects_in_one_block() -> None:
    """A pdBlocked of pdIdents over everything: as many columns as both factors have levels."""
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 12, 150), rng.integers(0, 9, 150)
    Z = np.column_stack([np.eye(12)[a], np.eye(9)[b]])
    names = tuple(f"z{j}" for j in range(21))
    blocks = (PdBlock("pdIdent", names[:12], "a - 1"), PdBlock("pdIdent", names[12:], "b - 1"))
    D = np.diag(np.repeat([1.5, 0.7], [12, 9]))
    one = designs.level(np.zeros(150, dtype=int), Z, D)
    X = np.column_stack([np.ones(150), rng.normal(size=150)])
    fit = designs.fit(X, rng.normal(size=150), [replace(one, blocks=blocks)])
    forms = contract(fit)
    oracle = dense_forms(fit, model_at(fit), "REML", "oracle")
    for kind in KINDS:
        ours, literal = (information_from(x, kind).matrix for x in (forms, oracle))
        assert_close(ours, literal, 1e-11)
