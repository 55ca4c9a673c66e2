"""Units whose V is the same matrix: what is found alike, and its sums against dense algebra."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from rbridge.core.arrays import Array
from rbridge.core.engine import contractions, layout, patterns
from rbridge.core.engine.by_pattern import by_pattern
from rbridge.core.engine.contractions import contract
from rbridge.core.engine.covariance import NotPositiveDefinite
from rbridge.core.engine.dense import dense_forms
from rbridge.core.engine.forms import Forms
from rbridge.core.engine.layout import lay_out
from rbridge.core.engine.model import model_at
from rbridge.core.snapshot import CorStruct, FitSnapshot, VarFunc
from tests.support import designs
from tests.support.grades import graded

REML = [name for name in designs.FITS if name.endswith("REML")]  # the rest is the same for ML
PARTS = ("trace1", "quad1", "trace2", "quad2", "quad2_fixed", "trace3", "quad3")


def assert_same(found: Forms, expected: Forms, near: float = 1e-11) -> None:
    """Every number of two forms, in units of the largest of its kind."""
    assert found.log_likelihood == pytest.approx(expected.log_likelihood, rel=near)
    pairs = [(name, getattr(found, name), getattr(expected, name)) for name in PARTS]
    for field in fields(found.fixed):
        x = (getattr(forms.fixed, field.name) for forms in (found, expected))
        pairs.append((field.name, *x))
    for name, ours, theirs in pairs:
        close = near * np.abs(theirs).max(initial=1.0)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=close, err_msg=name)


@pytest.mark.parametrize("name", graded(REML, designs.QUICK))
def test_every_structure_is_the_dense_algebra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every unit its own pattern, so that all structures and levels come by."""
    monkeypatch.setattr(patterns, "_LARGEST", 10**6)
    fit = replace(designs.FITS[name])
    structured = model_at(fit).structured or len(fit.levels) > 1
    assert (lay_out(fit).alike is not None) == structured
    exact = dense_forms(fit, model_at(fit), fit.method, "oracle")
    assert_same(contract(fit), exact)
    height = contract(fit, derivatives=False).log_likelihood
    assert height == pytest.approx(exact.log_likelihood, rel=1e-12)


# Subjects with up to five visits, of which some miss a few: few patterns -------------------------

VISITS = np.tile(np.arange(5.0), 90)
KEPT = np.random.default_rng(1).random(450) < 0.8
KEPT[::5] = True
SUBJECT = np.repeat(np.arange(90), 5)[KEPT]
TIME = VISITS[KEPT]
N = len(TIME)
SEXES = np.repeat(np.arange(90) % 2, 5)[KEPT]


def subjects(
    cor: CorStruct | None = None,
    var: tuple[VarFunc, ...] = (),
    rows: Array | slice = slice(None),
    grouped: bool = True,
    fixed_sigma: bool = False,
) -> FitSnapshot:
    """A random slope by time, an irregular covariate, and structures; the rows in another order."""

    def taken(x: Array | None) -> Array | None:
        return None if x is None else x[rows]

    rng = np.random.default_rng(2)
    X = np.column_stack([np.ones(N), TIME, rng.normal(size=N)])[rows]
    y = (50 + rng.normal(size=90)[SUBJECT] + rng.normal(size=N))[rows]
    one = designs.level(SUBJECT, X[:, :2], np.array([[0.8, 0.1], [0.1, 0.3]]))
    cor = cor and replace(cor, covariate=cor.covariate[rows])
    var = tuple(replace(v, codes=taken(v.codes), covariate=taken(v.covariate)) for v in var)
    return designs.fit(X, y, [one] if grouped else [], cor, var, fixed_sigma=fixed_sigma)


AR1 = designs.correlation("corAR1", [0.4], SUBJECT, TIME + 1)
SYMM = designs.correlation("corSymm", np.linspace(0.05, 0.25, 10), SUBJECT, TIME, size=5)
IDENT = designs.variance(
    "varIdent", [1, 1.4, 0.7, 0.9, 1.1], codes=TIME.astype(int), free=[False, *[True] * 4]
)
POWER = designs.variance("varPower", [0.4], TIME + 2)
BY_SEX = designs.variance("varIdent", [1, 1.6], codes=SEXES, free=[False, True])
MODELS = {
    "AR(1)": (AR1, ()),
    "strata": (None, (IDENT,)),
    "strata of subjects": (None, (BY_SEX,)),
    "AR(1), strata and a power": (AR1, (IDENT, POWER)),
    "unstructured": (SYMM, (IDENT,)),
}


def n_patterns(fit: FitSnapshot) -> int:
    return sum(len(a.first) for a in lay_out(fit).alike or ())


@pytest.mark.parametrize("fixed_sigma", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_visits_that_are_missed(model: str, fixed_sigma: bool) -> None:
    fit = subjects(*MODELS[model], fixed_sigma=fixed_sigma)
    seen = {
        (tuple(TIME[SUBJECT == i]), "subjects" in model and SEXES[SUBJECT == i][0])
        for i in range(90)
    }
    assert n_patterns(fit) == len(seen)
    exact = dense_forms(fit, model_at(fit), "REML", "oracle")
    assert_same(contract(fit), exact)


@pytest.mark.parametrize("model", MODELS)
def test_the_order_of_a_subject_s_rows(model: str) -> None:
    rows = np.lexsort((np.random.default_rng(3).random(N), SUBJECT))
    mixed, plain = (subjects(*MODELS[model], rows=r) for r in (rows, slice(None)))
    assert n_patterns(mixed) == n_patterns(plain)
    assert_same(contract(mixed), contract(plain))


@pytest.mark.parametrize("apart", [3.0, 40.5])
def test_only_differences_of_time_count(apart: float) -> None:
    """AR(1) sees lags alone; an unstructured correlation sees which visits they are."""
    moved = replace(AR1, covariate=AR1.covariate + apart * SEXES[:, None])
    fits = [replace(subjects(), cor=cor) for cor in (moved, AR1)]
    assert n_patterns(fits[0]) == n_patterns(fits[1])
    assert_same(contract(fits[0]), contract(fits[1]))
    late = np.where((SUBJECT % 3 == 0) & (TIME < 2), TIME + 1, TIME + 0)
    fit = subjects(replace(SYMM, covariate=late[:, None]))
    assert n_patterns(fit) > n_patterns(subjects(SYMM))


def test_where_nothing_repeats_there_are_no_patterns() -> None:
    rng = np.random.default_rng(4)
    fit = subjects(AR1)
    (one,) = fit.levels
    irregular = replace(one, Z=np.column_stack([np.ones(N), rng.normal(size=N)]))
    assert lay_out(replace(fit, levels=(irregular,))).alike is None
    assert lay_out(subjects()).alike is None  # one level alone: a form of its own
    whole = replace(AR1, codes=np.zeros(N, dtype=int), covariate=np.arange(N)[:, None])
    assert lay_out(subjects(whole, grouped=False)).alike is None  # a unit is too long


def test_the_sums_take_no_more_than_a_few_copies_of_the_data() -> None:
    fit, rng = subjects(SYMM), np.random.default_rng(6)
    assert n_patterns(fit) > 1
    X = np.column_stack([fit.X, rng.normal(size=(N, 40))])
    wide = designs.fit(X, fit.y, fit.levels, fit.cor)
    assert lay_out(wide).alike is None


def test_rows_are_units_where_there_are_no_groups() -> None:
    fit = subjects(var=(IDENT,), grouped=False)
    assert n_patterns(fit) == 5
    assert_same(contract(fit), dense_forms(fit, model_at(fit), "REML", "oracle"))


def test_series_far_apart_within_a_unit() -> None:
    """Two series of each subject, a million steps apart: no lag of that length is looked at."""
    subject, series = designs.groups([6] * 40), designs.groups([3] * 80)
    at = np.tile([0.0, 1.0, 2.0, 1e6, 1e6 + 1, 1e6 + 3], 40)
    rng = np.random.default_rng(5)
    X = np.column_stack([np.ones(240), rng.normal(size=240)])
    levels = [designs.level(subject, X[:, :1], np.array([[0.6]]))]
    cor = designs.correlation("corARMA", [0.5, 0.3], series, at, p=1, q=1)
    fit = designs.fit(X, rng.normal(size=240), levels, cor)
    assert n_patterns(fit) == 1
    assert_same(contract(fit), dense_forms(fit, model_at(fit), "REML", "oracle"))


def test_chunks_of_units(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = contract(subjects(AR1))
    monkeypatch.setattr(patterns, "_ROWS", 7)
    assert_same(contract(subjects(AR1)), whole, 1e-13)


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4, 1e8])
def test_no_digits_are_lost_however_large_d_is(size: float) -> None:
    """Against the form of one level, in which nothing is subtracted."""
    fit = subjects()
    (one,) = fit.levels
    fit = replace(fit, levels=(replace(one, D=size * one.D),))
    design, model = lay_out(fit), model_at(fit)
    units = patterns.repeated_units(fit, design.starts, design.cor_starts, 4)
    total = by_pattern(replace(design, alike=units), model, True)
    found, exact = contractions._forms(design, model, "REML", total), contract(fit)
    assert_same(found, exact, 1e-12)
    np.testing.assert_allclose(found.trace2, exact.trace2, rtol=1e-11)
    np.testing.assert_allclose(found.quad1, exact.quad1, rtol=1e-11)


@pytest.mark.parametrize("values, reason", [([1.0], "V is not|R is not"), ([-0.9], "R is not")])
def test_no_likelihood_outside(values: list[float], reason: str) -> None:
    cor = designs.correlation("corCompSymm", values, SUBJECT, TIME, size=5, lower=-0.25)
    with pytest.raises(NotPositiveDefinite, match=reason):
        contract(subjects(cor))


def test_the_sums_are_kept_with_the_snapshot() -> None:
    fit = subjects(AR1)
    contract(fit)
    assert layout.layout(fit).units is layout.layout(fit).units
