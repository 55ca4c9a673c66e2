"""Synthetic fits for the information matrix: every structure, no R.

The "estimates" are plausible numbers, not optima: every identity tested holds at any θ.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rbridge.core.snapshot import (
    ApVarUnavailable,
    CorStruct,
    FitSnapshot,
    PdBlock,
    RandomLevel,
    VarFunc,
)

Array = np.ndarray[Any, Any]
REFERENCE = Path(__file__).parents[1] / "reference" / "information.json"


def sizes(codes: Array) -> Array:
    return np.unique(codes, return_counts=True)[1]


def groups(counts: Sequence[int]) -> Array:
    """Non-decreasing codes of groups of the given sizes."""
    return np.repeat(np.arange(len(counts)), counts)


def level(
    codes: Array, Z: Array, D: Array, pd_class: str = "pdLogChol", group: str = "g"
) -> RandomLevel:
    names = tuple(f"z{j}" for j in range(Z.shape[1]))
    m = int(codes.max()) + 1
    labels = tuple(map(str, range(m)))
    block = PdBlock(pd_class, names, "z")
    return RandomLevel(group, (block,), names, Z, codes, labels, D, np.zeros((m, len(names))))


def blocked_level(codes: Array, Z: Array, D: Array, group: str = "g") -> RandomLevel:
    """pdBlocked: pdIdent on the first column, pdCompSymm on the rest."""
    plain = level(codes, Z, D, group=group)
    first, rest = plain.names[:1], plain.names[1:]
    blocks = (PdBlock("pdIdent", first, "1"), PdBlock("pdCompSymm", rest, "z"))
    return replace(plain, blocks=blocks)


def correlation(
    cor_class: str, values: Sequence[float], codes: Array, covariate: Array, **options: Any
) -> CorStruct:
    names = tuple(f"c{i}" for i in range(len(values)))
    covariate = covariate.reshape(len(codes), -1)
    fixed = options.pop("fixed", False)
    return CorStruct(cor_class, names, np.array(values), fixed, codes, covariate, **options)


def variance(
    var_class: str,
    values: Sequence[float],
    covariate: Array | None = None,
    codes: Array | None = None,
    free: Sequence[bool] | None = None,
    tag: str = "",
) -> VarFunc:
    names = tuple(f"v{i}" for i in range(len(values)))
    strata = () if codes is None else tuple(f"s{i}" for i in range(int(codes.max()) + 1))
    chosen = np.array([True] * len(values) if free is None else free, dtype=bool)
    return VarFunc(var_class, tag, names, np.array(values), chosen, covariate, codes, strata)


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
    n, p = X.shape
    beta = np.linalg.lstsq(X, y, rcond=None)[0] + 0.1  # on purpose not the GLS solution
    return FitSnapshot(
        kind="lme" if levels else "gls",
        method=method,
        y=y,
        X=X,
        coef_names=tuple(f"b{j}" for j in range(p)),
        beta=beta,
        std_error=np.ones(p),
        df=np.ones(p),
        vcov=np.eye(p),
        levels=tuple(levels),
        cor=cor,
        var=tuple(var),
        sigma=sigma,
        fixed_sigma=fixed_sigma,
        apvar=ApVarUnavailable("synthetic"),
        log_lik=0.0,
        fitted=np.zeros((n, 1 + len(levels))),
        rows=np.arange(n),
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


def cases() -> Iterator[tuple[str, FitSnapshot]]:
    """Every level layout, correlation and variance function, alone and together."""
    chosen = [(name, None, None) for name in LEVELS if name != "gls"]
    chosen += [(name, cor, None) for name in ("gls", "slope", "nested") for cor in CORRELATIONS]
    chosen += [(name, None, var) for name in ("gls", "slope", "nested") for var in VARIANCES]
    for i, cor in enumerate(CORRELATIONS):  # each pair on one layout, the layouts in turn
        for j, var in enumerate(VARIANCES):
            chosen.append((("gls", "slope", "two", "nested", "repeated")[(i + j) % 5], cor, var))
    for name, cor, var in chosen:
        label = " + ".join(part for part in (name, cor, var) if part)
        yield label, fit(
            X,
            Y,
            LEVELS[name],
            CORRELATIONS[cor] if cor else None,
            VARIANCES[var] if var else (),
        )


CASES = dict(cases())


def case(structures: str) -> FitSnapshot:
    """The case with these structures, on whichever layout it has."""
    return next(fit for name, fit in CASES.items() if name.partition(" + ")[2] == structures)


# Fits by nlme, with their log-likelihood and lmeInfo's matrices ----------------------------------


def _reference_fit(model: dict[str, Any]) -> FitSnapshot:
    def array(part: dict[str, Any], key: str) -> Array:
        return np.array(part[key])

    levels = [
        replace(
            level(array(lv, "codes"), array(lv, "Z"), array(lv, "D"), lv["pd_class"], lv["group"]),
            names=(names := tuple(np.atleast_1d(lv["names"]).tolist())),
            blocks=(PdBlock(lv["pd_class"], names),),
        )
        for lv in model["levels"]
    ]
    cor, var = model["cor"], model["var"]
    if cor:
        where = array(cor, "codes"), array(cor, "covariate")
        cor = correlation(cor["class"], cor["values"], *where)
    if var:
        data = (array(var, key) if key in var else None for key in ("covariate", "codes"))
        var = [variance(var["class"], var["values"], *data, var["free"])]
    X, y = array(model, "X"), array(model, "y").astype(float)
    return fit(X, y, levels, cor, var or (), model["sigma"], model["method"])


MODELS: dict[str, dict[str, Any]] = {
    model["name"]: {**model, "fit": _reference_fit(model)}
    for model in json.loads(REFERENCE.read_text("utf-8"))["models"]
}
