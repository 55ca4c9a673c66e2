"""Synthetic fits for the information matrix: every structure, no R.

The "estimates" are plausible numbers, not optima: every identity tested holds at any θ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rbridge.core.arrays import Array
from rbridge.core.snapshot import ApVarUnavailable, CorStruct, FitSnapshot, RandomLevel, VarFunc
from tests.support import synthetic
from tests.support.synthetic import block, correlation, variance


def sizes(codes: Array) -> Array:
    return np.unique(codes, return_counts=True)[1]


def groups(counts: Sequence[int]) -> Array:
    """Non-decreasing codes of groups of the given sizes."""
    return np.repeat(np.arange(len(counts)), counts)


def effects(Z: Array) -> tuple[str, ...]:
    return tuple(f"z{j}" for j in range(Z.shape[1]))


def level(
    codes: Array, Z: Array, D: Array, pd_class: str = "pdLogChol", group: str = "g"
) -> RandomLevel:
    """Random effects z0, z1, … in one block."""
    one = block(pd_class, effects(Z), "z")
    return synthetic.level(group, one, D=D, Z=Z, codes=codes)


def blocked_level(codes: Array, Z: Array, D: Array, group: str = "g") -> RandomLevel:
    """pdBlocked: pdIdent on the first column, pdCompSymm on the rest."""
    first, *rest = effects(Z)
    blocks = block("pdIdent", (first,), "1"), block("pdCompSymm", tuple(rest), "z")
    return synthetic.level(group, *blocks, D=D, Z=Z, codes=codes)


def fit(
    X: Array,
    y: Array,
    levels: Sequence[RandomLevel] = (),
    cor: CorStruct | None = None,
    var: Sequence[VarFunc] = (),
    sigma: float = 0.9,
    method: str = "REML",
    fixed_sigma: bool = False,
) -> FitSnapshot:
    """A fit of y (n,) by X (n, p); β is on purpose not the GLS solution."""
    return synthetic.snapshot(
        *levels,
        X=X,
        y=y,
        beta=np.linalg.lstsq(X, y, rcond=None)[0] + 0.1,
        cor=cor,
        var=tuple(var),
        sigma=sigma,
        method=method,
        fixed_sigma=fixed_sigma,
        apvar=ApVarUnavailable("synthetic"),
    )


# One small unbalanced data set: 4 outer groups, 9 middle, 15 inner, 45 rows ----------------------

RNG = np.random.default_rng(20240501)
INNER = groups([3, 2, 4, 3, 3, 1, 5, 4, 2, 3, 3, 4, 2, 3, 3])
MIDDLE = groups([2, 1, 2, 2, 1, 2, 2, 1, 2])[INNER]
OUTER = groups([3, 2, 2, 2])[MIDDLE]
N = len(INNER)
TIME = np.concatenate([np.arange(k) + 1.0 for k in sizes(INNER)])
GAPPY = np.concatenate([np.cumsum(RNG.integers(1, 4, k)) for k in sizes(INNER)]).astype(float)
PLACE = RNG.normal(size=(N, 2))
STRATUM = RNG.integers(0, 3, N)
AGE = RNG.uniform(0.5, 2.0, N)
ONE = np.ones(N)
X = np.column_stack([ONE, TIME, RNG.normal(size=N)])
Y = X @ [1.0, 0.5, -0.3] + RNG.normal(size=N) * 1.5 + RNG.normal(size=4)[OUTER]

D1 = np.array([[0.7]])
D2 = np.array([[0.8, -0.2], [-0.2, 0.3]])
D3 = np.array([[0.8, -0.2, 0.1], [-0.2, 0.5, 0.15], [0.1, 0.15, 0.6]])
BLOCKED = np.array([[0.8, 0.0, 0.0], [0.0, 0.5, 0.15], [0.0, 0.15, 0.5]])
Z1, Z2, Z3 = ONE[:, None], np.column_stack([ONE, TIME]), np.column_stack([ONE, TIME, AGE])

LEVELS: dict[str, tuple[RandomLevel, ...]] = {
    "gls": (),
    "intercept": (level(OUTER, Z1, D1),),
    "slope": (level(OUTER, Z2, D2),),
    "three": (level(OUTER, Z3, D3),),
    "diag": (level(OUTER, Z2, np.diag([0.8, 0.3]), "pdDiag"),),
    "ident": (level(MIDDLE, Z2, 0.5 * np.eye(2), "pdIdent"),),
    "singular": (level(OUTER, Z2, np.array([[0.8, 0.4], [0.4, 0.2]])),),
    "zero": (level(OUTER, Z1, 0 * D1),),
    "blocked": (blocked_level(OUTER, Z3, BLOCKED),),
    "two": (level(OUTER, Z1, D1, group="a"), level(MIDDLE, Z2, D2, group="b")),
    "nested": (
        level(OUTER, Z2, D2, group="a"),
        level(MIDDLE, Z1, 2 * D1, group="b"),
        level(INNER, AGE[:, None], D1, group="c"),
    ),
    "repeated": (
        level(OUTER, Z2, D2, group="a"),
        level(OUTER, AGE[:, None], D1, group="a.1"),
        level(INNER, Z1, D1, group="c"),
    ),
}

CORRELATIONS: dict[str, CorStruct] = {
    "AR1": correlation("corAR1", [0.4], INNER, TIME),
    "AR1 negative": correlation("corAR1", [-0.4], INNER, TIME),
    "AR1 zero": correlation("corAR1", [0.0], INNER, TIME),
    "AR1 backwards": correlation("corAR1", [0.4], INNER, -TIME),
    "CAR1": correlation("corCAR1", [0.3], INNER, GAPPY),
    "ARMA(1,0) gaps": correlation("corARMA", [0.4], INNER, GAPPY, p=1),
    "ARMA(2,1)": correlation("corARMA", [0.4, 0.2, 0.3], INNER, GAPPY, p=2, q=1),
    "ARMA(2,0)": correlation("corARMA", [0.4, 0.2], INNER, TIME, p=2),
    "ARMA(0,2)": correlation("corARMA", [0.4, 0.2], INNER, TIME, q=2),
    "CompSymm": correlation("corCompSymm", [0.3], INNER, TIME, size=5, lower=-0.25),
    "Symm": correlation(
        "corSymm", [0.3, 0.1, 0.2, 0, 0.2, 0.1, -0.1, 0.15, 0, 0.3], INNER, TIME - 1, size=5
    ),
    "Exp nugget": correlation("corExp", [0.8, 0.2], INNER, PLACE, nugget=True),
    "Gaus": correlation("corGaus", [0.5], INNER, PLACE),
    "Lin": correlation("corLin", [1.7], INNER, PLACE[:, :1], min_distance=0.01),
    "Ratio maximum": correlation("corRatio", [0.7], INNER, PLACE, metric="maximum"),
    "Spher manhattan": correlation(
        "corSpher", [1.5, 0.1], INNER, PLACE, nugget=True, metric="manhattan", min_distance=0.01
    ),
    "fixed AR1": correlation("corAR1", [0.4], INNER, TIME, fixed=True),
    "fixed Exp": correlation("corExp", [0.8], INNER, PLACE, fixed=True),
}

IDENT = variance("varIdent", [1.0, 1.4, 0.7], codes=STRATUM, free=[False, True, True])
VARIANCES: dict[str, tuple[VarFunc, ...]] = {
    "Fixed": (variance("varFixed", [], AGE),),
    "Ident": (IDENT,),
    "Power": (variance("varPower", [0.6], AGE),),
    "Power strata": (variance("varPower", [0.6, -0.3, 0.2], AGE, STRATUM),),
    "Power one fixed": (variance("varPower", [0.6, 0.5, 0.2], AGE, STRATUM, [True, False, True]),),
    "Exp": (variance("varExp", [0.3], AGE),),
    "ConstPower": (variance("varConstPower", [0.5, 0.8], AGE),),
    "ConstProp strata": (variance("varConstProp", [0.5, 0.8, 0.6, 0.7, 0.4, 0.9], AGE, STRATUM),),
    "Comb": (replace(IDENT, tag="A"), variance("varExp", [0.3], AGE, tag="B")),
}


def named(levels: str, cor: str = "", var: str = "", **options: Any) -> FitSnapshot:
    """The small data set with the structures of these names."""
    return fit(
        X,
        Y,
        LEVELS[levels],
        CORRELATIONS[cor] if cor else None,
        VARIANCES[var] if var else (),
        **options,
    )


def model(
    q: int = 0,
    pd_class: str = "pdLogChol",
    cor: str = "",
    var: str = "",
    X: Array = X,
    method: str = "REML",
    inner: bool = False,
) -> FitSnapshot:
    """The small data set with q random effects, and an inner intercept: what may be nested."""
    Z, D = {1: (Z1, D1), 2: (Z2, D2), 3: (Z3, D3)}.get(q, (None, None))
    levels = [level(OUTER, Z, D, pd_class)] if q else []
    levels += [level(MIDDLE, Z1, D1, group="h")] if inner else []
    chosen = CORRELATIONS[cor] if cor else None
    return fit(X, Y, levels, chosen, VARIANCES[var] if var else (), method=method)


def cases() -> Iterator[tuple[str, FitSnapshot]]:
    """Every level layout, correlation and variance function, alone and together."""
    chosen = [(name, "", "") for name in LEVELS if name != "gls"]
    chosen += [(name, cor, "") for name in ("gls", "slope", "nested") for cor in CORRELATIONS]
    chosen += [(name, "", var) for name in ("gls", "slope", "nested") for var in VARIANCES]
    for i, cor in enumerate(CORRELATIONS):  # each pair on one layout, the layouts in turn
        for j, var in enumerate(VARIANCES):
            chosen.append((("gls", "slope", "two", "nested", "repeated")[(i + j) % 5], cor, var))
    for parts in chosen:
        yield " + ".join(filter(None, parts)), named(*parts)


CASES = dict(cases())
SINGLE = [name for name in CASES if name.count(" + ") < 2]  # one structure beside the levels
FITS = {  # pairs by REML alone
    f"{name}, {method}": replace(CASES[name], method=method)
    for method, names in (("REML", CASES), ("ML", SINGLE))
    for name in names
}
QUICK = [f"{name}, REML" for name in SINGLE]


def case(structures: str) -> FitSnapshot:
    """The case with these structures, on whichever layout it has."""
    return next(fit for name, fit in CASES.items() if name.partition(" + ")[2] == structures)
