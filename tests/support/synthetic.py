"""The one factory of snapshots: the parts that a test names, and plain values for the rest."""

from __future__ import annotations

from typing import Any

import numpy as np

from rbridge.core.snapshot import (
    ApVar,
    ApVarUnavailable,
    CorStruct,
    FitSnapshot,
    PdBlock,
    RandomLevel,
    VarFunc,
)

N = 6  # rows, where a test has no data


def block(pd_class: str, names: tuple[str, ...], formula: str = "formula") -> PdBlock:
    return PdBlock(pd_class, names, formula)


def level(
    group: str, *blocks: PdBlock, D: Any = None, Z: Any = None, codes: Any = None, n: int = N
) -> RandomLevel:
    """Random effects of these blocks, independent with variance 1 unless D says otherwise."""
    names = tuple(name for b in blocks for name in b.names)
    q = len(names)
    D = np.eye(q) if D is None else D
    codes = np.zeros(n, int) if codes is None else codes
    Z = np.zeros((len(codes), q)) if Z is None else Z
    labels = tuple(map(str, range(int(codes.max()) + 1)))
    return RandomLevel(group, blocks, names, Z, codes, labels, D, np.zeros((len(labels), q)))


def correlation(
    cor_class: str,
    values: Any,
    codes: Any = None,
    covariate: Any = None,
    *,
    n: int = N,
    fixed: bool = False,
    **more: Any,
) -> CorStruct:
    """A correlation structure; of one group at 0, 1, … where there are no codes."""
    names = more.pop("names", tuple(f"c{i}" for i in range(len(values))))
    codes = np.zeros(n, int) if codes is None else codes
    covariate = np.arange(len(codes)) if covariate is None else covariate
    places = np.reshape(covariate, (len(codes), -1))
    return CorStruct(cor_class, names, np.array(values), fixed, codes, places, **more)


def variance(
    var_class: str,
    values: Any,
    covariate: Any = None,
    codes: Any = None,
    free: Any = None,
    tag: str = "",
    **more: Any,
) -> VarFunc:
    """A variance function; every coefficient is free where nothing is said."""
    names = more.pop("names", tuple(f"v{i}" for i in range(len(values))))
    strata = () if codes is None else tuple(f"s{i}" for i in range(int(codes.max()) + 1))
    free = np.ones(len(values), bool) if free is None else np.array(free, bool)
    return VarFunc(var_class, tag, names, np.array(values, float), free, covariate, codes, strata)


def apvar(pars: Any, cov: Any = None, natural: bool = True) -> ApVar:
    names = tuple(f"u{i}" for i in range(len(pars)))
    return ApVar(names, pars, np.eye(len(pars)) if cov is None else cov, natural)


def snapshot(
    *levels: RandomLevel, X: Any = None, n: int = N, p: int = 1, **named: Any
) -> FitSnapshot:
    """A fit with these fields; X of ones, and zeros or ones for all that is not named."""
    X = np.ones((n, p)) if X is None else X
    n, p = X.shape
    plain = {
        "kind": "lme" if levels else "gls",
        "method": "REML",
        "y": np.zeros(n),
        "coef_names": tuple(f"b{i}" for i in range(p)),
        "beta": np.zeros(p),
        "std_error": np.ones(p),
        "df": np.ones(p),
        "vcov": np.eye(p),
        "cor": None,
        "var": (),
        "sigma": 1.0,
        "fixed_sigma": False,
        "apvar": ApVarUnavailable("not asked for"),
        "log_lik": 0.0,
        "fitted": np.zeros((n, 1 + len(levels))),
        "rows": np.arange(n),
    }
    return FitSnapshot(X=X, levels=levels, **{**plain, **named})


def seed() -> FitSnapshot:
    """The seed's fit: Orthodont, distance ~ age * sex, ~ age | subject, REML."""
    cov = [
        [0.19534695, 0.20547534, -0.47083968, -0.017153480],
        [0.20547534, 0.32692918, -0.57907986, -0.024253069],
        [-0.47083968, -0.57907986, 1.35401393, 0.044474133],
        [-0.01715348, -0.02425307, 0.04447413, 0.009241268],
    ]
    return snapshot(
        level(
            "subject",
            block("pdLogChol", ("(Intercept)", "age"), "age"),
            D=[[5.78643480, -0.28962733], [-0.28962733, 0.03252449]],
        ),
        sigma=1.3100396,
        apvar=apvar([0.8777582, -1.7128810, -1.6128707, 0.2700573], cov),
    )
