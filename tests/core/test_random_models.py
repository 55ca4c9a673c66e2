"""Random models over every structure against an implementation that shares no code with rbridge."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest

from rbridge.core.engine.contractions import contract
from rbridge.core.information import information
from rbridge.core.likelihood import log_likelihood, score
from rbridge.core.snapshot import CorStruct, FitSnapshot, RandomLevel, VarFunc
from rbridge.model import structures
from tests.support import synthetic as make
from tests.support.dense_reference import Dense
from tests.support.grades import graded

COUNT = 152
COR = ("", "corAR1", "corCAR1", "corCompSymm", "corSymm", "corNatural", "corARMA") + (
    *("corExp", "corGaus", "corLin", "corRatio", "corSpher"),
)
VAR = ("", "varFixed", "varIdent", "varPower", "varExp", "varConstPower", "varConstProp", "varComb")
PD = ("pdLogChol", "pdSymm", "pdNatural", "pdDiag", "pdIdent", "pdCompSymm", "pdBlocked")
Rng = np.random.Generator


def codes_of(rng: Rng, depth: int) -> list[Any]:
    """Nested groups of unequal sizes, outermost first; the innermost have 1 to 5 rows."""
    inner = np.repeat(np.arange(9), rng.integers(1, 6, 9))
    nested = [inner]
    for size in (2, 3)[: max(depth - 1, 0)]:
        nested.insert(0, nested[0] // size)
    return nested


def covariance_of(rng: Rng, pd_class: str, q: int) -> Any:
    A = rng.normal(size=(q, q)) * 0.5
    if pd_class in ("pdLogChol", "pdSymm", "pdNatural"):
        return A @ A.T + 0.3 * np.eye(q)
    if pd_class == "pdDiag":
        return np.diag(rng.uniform(0.2, 1.5, q))
    variance = rng.uniform(0.3, 1.5)
    rho = rng.uniform(-0.3, 0.8) if pd_class == "pdCompSymm" and q > 1 else 0.0
    return variance * ((1 - rho) * np.eye(q) + rho)


def level_of(rng: Rng, name: str, codes: Any, pd_class: str) -> RandomLevel:
    n = len(codes)
    sizes = (
        [2, 2]
        if pd_class == "pdBlocked"
        else [2 if pd_class == "pdCompSymm" else int(rng.integers(1, 4))]
    )
    classes = ["pdIdent", "pdCompSymm"] if pd_class == "pdBlocked" else [pd_class]
    blocks, D, first = [], np.zeros((sum(sizes),) * 2), 0
    for q, each in zip(sizes, classes):
        names = tuple(f"z{first + i}" for i in range(q))
        blocks.append(make.block(each, names, f"f{first}"))
        D[first : first + q, first : first + q] = covariance_of(rng, each, q)
        first += q
    Z = np.column_stack([np.ones(n), rng.normal(size=(n, first - 1))])
    return make.level(name, *blocks, D=D, Z=Z, codes=codes)


def correlation_of(rng: Rng, kind: str, codes: Any) -> CorStruct | None:
    if not kind:
        return None
    counts = np.unique(codes, return_counts=True)[1]
    order = np.concatenate([rng.permutation(c) for c in counts])  # rows are not in order of time
    more: dict[str, Any] = {"fixed": bool(rng.random() < 0.1)}
    if kind in ("corSymm", "corNatural"):
        size = int(counts.max())
        return make.correlation(
            kind, rng.uniform(-0.15, 0.25, size * (size - 1) // 2), codes, order, size=size, **more
        )
    if kind == "corCompSymm":
        more |= {"size": int(counts.max()), "lower": -1 / (counts.max() - 1)}
        return make.correlation(kind, [rng.uniform(-0.1, 0.6)], codes, order, **more)
    if kind == "corARMA":
        p, q = [(1, 0), (2, 0), (0, 1), (0, 2), (1, 1), (2, 1)][rng.integers(6)]
        values = rng.uniform(-0.4, 0.45, p + q)
        return make.correlation(kind, values, codes, order * 1.0, p=p, q=q, **more)
    if kind == "corAR1":
        return make.correlation(kind, [rng.uniform(-0.7, 0.8)], codes, order * 1.0, **more)
    if kind == "corCAR1":
        gaps = order + rng.uniform(0, 0.8, len(order))
        return make.correlation(kind, [rng.uniform(0.1, 0.8)], codes, gaps, **more)
    nugget = bool(rng.random() < 0.5) or kind == "corGaus"  # else R is all but singular
    places = rng.normal(size=(len(codes), int(rng.integers(1, 3))))
    values = [rng.uniform(0.5, 1.5), *([rng.uniform(0.1, 0.4)] if nugget else [])]
    metric = ("euclidean", "maximum", "manhattan")[rng.integers(3)]
    return make.correlation(kind, values, codes, places, nugget=nugget, metric=metric, **more)


def variance_of(rng: Rng, kind: str, n: int) -> tuple[VarFunc, ...]:
    if not kind:
        return ()
    if kind == "varComb":
        return (*variance_of(rng, "varIdent", n), *variance_of(rng, "varPower", n))
    covariate = rng.uniform(0.5, 2.0, n)
    strata = np.concatenate([np.arange(3), rng.integers(0, 3, n - 3)])
    if kind == "varFixed":
        return (make.variance(kind, [], covariate),)
    if kind == "varIdent":
        ratios = [1.0, *rng.uniform(0.5, 1.8, 2)]
        return (make.variance(kind, ratios, codes=strata, free=[False, True, True]),)
    codes = strata if rng.random() < 0.5 else None
    each = 3 if codes is not None else 1
    values = rng.uniform(0.2, 0.9, each * (2 if "Const" in kind else 1))
    free = rng.random(len(values)) < 0.8 if rng.random() < 0.3 else np.ones(len(values), bool)
    return (make.variance(kind, values, covariate, codes, free),)


def model(number: int) -> FitSnapshot:
    """Model number so many: structures in turn, everything else at random."""
    rng = np.random.default_rng([2026, number])
    cor_kind, var_kind = list(itertools.product(COR, VAR))[number % (len(COR) * len(VAR))]
    depth = int(rng.integers(0, 4))
    nested = codes_of(rng, depth)
    n = len(nested[-1])
    names = "abc"
    classes = [PD[(number + i) % len(PD)] for i in range(depth)]
    levels = [level_of(rng, names[i], nested[i], classes[i]) for i in range(depth)]
    X = np.column_stack([np.ones(n), rng.normal(size=(n, int(rng.integers(0, 3))))])
    return make.snapshot(
        *levels,
        X=X,
        y=rng.normal(size=n) * 2 + 1,
        beta=rng.normal(size=X.shape[1]),
        cor=correlation_of(rng, cor_kind, nested[-1]),
        var=variance_of(rng, var_kind, n),
        sigma=float(rng.uniform(0.6, 1.4)),
        method=("REML", "ML")[number % 2],
        fixed_sigma=bool(rng.random() < 0.1),
    )


def close(ours: Any, names: Any, theirs: Any, order: list[str], tolerance: float) -> None:
    """By name, in units of the largest entry."""
    assert sorted(names) == sorted(order)
    at = [order.index(name) for name in names]
    expected = theirs[np.ix_(*[at] * theirs.ndim)]
    assert np.abs(ours - expected).max(initial=0.0) <= tolerance * np.abs(expected).max(initial=1.0)


@pytest.mark.parametrize("number", graded(range(COUNT), range(0, COUNT, 8)))
def test_likelihood_and_information(number: int) -> None:
    fit = model(number)
    dense, forms = Dense(fit), contract(fit)
    assert log_likelihood(fit) == pytest.approx(dense.log_likelihood, rel=1e-10)
    close(score(fit), forms.names, dense.score(), dense.names, 1e-9)
    close(information(fit, "expected").matrix, forms.names, dense.expected(), dense.names, 1e-9)
    close(information(fit, "observed").matrix, forms.names, dense.observed(), dense.names, 1e-7)


def test_every_structure_had_its_turn() -> None:
    seen: Counter[str] = Counter()
    for fit in map(model, range(COUNT)):
        seen.update(block.pd_class for level in fit.levels for block in level.blocks)
        seen.update("pdBlocked" for level in fit.levels if len(level.blocks) > 1)
        seen.update([fit.cor.cor_class] if fit.cor else [])
        seen.update(v.var_class for v in fit.var)
        seen.update(["varComb"] if len(fit.var) > 1 else [])
    assert set(structures.__all__) <= set(seen)
