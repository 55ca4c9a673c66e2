"""Snapshots made by hand: the parts that a test names, and zeros for the rest."""

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

N = 6


def block(pd_class: str, names: tuple[str, ...], formula: str = "formula") -> PdBlock:
    return PdBlock(pd_class, names, formula)


def level(group: str, *blocks: PdBlock, D: Any = None, n: int = N) -> RandomLevel:
    names = tuple(name for b in blocks for name in b.names)
    q = len(names)
    zeros = np.zeros((n, q))
    D = np.eye(q) if D is None else D
    return RandomLevel(group, blocks, names, zeros, np.zeros(n, int), ("1",), D, np.zeros((1, q)))


def cor(cor_class: str, values: Any, n: int = N, fixed: bool = False, **more: Any) -> CorStruct:
    names = more.pop("names", tuple(f"c{i}" for i in range(len(values))))
    codes, covariate = np.zeros(n, int), np.arange(n)[:, None]
    return CorStruct(cor_class, names, values, fixed, codes, covariate, **more)


def var(var_class: str, values: Any, free: Any = None, tag: str = "", **more: Any) -> VarFunc:
    names = more.pop("names", tuple(f"v{i}" for i in range(len(values))))
    free = np.ones(len(values), bool) if free is None else np.array(free, bool)
    return VarFunc(var_class, tag, names, np.array(values, float), free, None, None)


def apvar(pars: Any, cov: Any = None, natural: bool = True) -> ApVar:
    names = tuple(f"u{i}" for i in range(len(pars)))
    return ApVar(names, pars, np.eye(len(pars)) if cov is None else cov, natural)


def snapshot(
    *levels: RandomLevel,
    cor: CorStruct | None = None,
    var: tuple[VarFunc, ...] = (),
    sigma: float = 1.0,
    apvar: ApVar | ApVarUnavailable = ApVarUnavailable("not asked for"),
    method: str = "REML",
    fixed_sigma: bool = False,
    n: int = N,
    p: int = 1,
) -> FitSnapshot:
    return FitSnapshot(
        kind="lme" if levels else "gls",
        method=method,
        y=np.zeros(n),
        X=np.ones((n, p)),
        coef_names=tuple(f"b{i}" for i in range(p)),
        beta=np.zeros(p),
        std_error=np.ones(p),
        df=np.ones(p),
        vcov=np.eye(p),
        levels=levels,
        cor=cor,
        var=var,
        sigma=sigma,
        fixed_sigma=fixed_sigma,
        apvar=apvar,
        log_lik=0.0,
        fitted=np.zeros((n, 1 + len(levels))),
        rows=np.arange(n),
    )


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


def from_reference(model: dict[str, Any]) -> FitSnapshot:
    """The snapshot of one model of ``tests/reference/intervals.json``."""
    n, ap, c = model["n"], model["apvar"], model["cor"]
    levels = [
        level(
            item["group"],
            *(PdBlock(b["pd_class"], tuple(b["names"]), b["formula"]) for b in item["blocks"]),
            D=item["D"],
            n=n,
        )
        for item in model["levels"]
    ]
    return snapshot(
        *levels,
        cor=cor(**{**c, "names": tuple(c["names"])}, n=n) if c else None,
        var=tuple(var(**{**item, "names": tuple(item["names"])}) for item in model["var"]),
        sigma=model["sigma"],
        apvar=(
            ApVarUnavailable(ap["reason"])
            if "reason" in ap
            else ApVar(tuple(ap["names"]), ap["pars"], ap["cov"], ap["natural"])
        ),
        method=model["method"],
        fixed_sigma=model["fixed_sigma"],
        n=n,
        p=model["p"],
    )
