"""nlme held at the optimum found here: its own arithmetic, without its search."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.arrays import Array
from ..core.engine.contractions import contract
from ..core.engine.forms import Forms
from ..core.parameters import theta
from ..core.snapshot import CorStruct, FitSnapshot, RandomLevel, VarFunc
from ..core.unconstrained import pd_unconstrained
from ..errors import FitError, InformationError, RWarning, SpecError, warn
from ..frame.design import Design
from ..model.spec import ModelSpec
from ..model.structures import CorrelationStructure, PdMat, Structure, pdBlocked, varComb, varFixed
from ..r import nlme
from ..r.nlme import Fitted, Pin
from .native import computed, found_here

HELD = {"opt": "optim", "msMaxIter": 0}  # optim without iterations gives the start back
# Weights of fitted(.) settle round by round, while nothing else moves: nlme would stop at once.
UPDATES = {"tolerance": -1.0, "maxIter": 25, "returnObject": True}
LIFT = 1e-10  # of a variance: how far from singular nlme's coding can hold a matrix
LOWER = 1e-6  # of the log-likelihood: how far below the optimum nlme may stand
MOVED = 1e-3  # standard errors, together


def fit_held(spec: ModelSpec, prepared: FitSnapshot, design: Design) -> Fitted:
    """nlme's fit at the optimum found here; its own search, with a warning, where that fails.

    Raises
    ------
    FitError
        As :func:`rbridge.r.nlme.fit`.
    """
    try:
        found = found_here(spec, prepared, with_apvar=False)
    except (InformationError, SpecError, np.linalg.LinAlgError) as error:
        return _searched(spec, design, f"there is no optimum found here ({error})")
    if not found.maximum.converged:
        return _searched(spec, design, "the search here found no optimum")
    return hold(spec, found.snapshot, design, found.maximum.forms)


def hold(
    spec: ModelSpec, optimum: FitSnapshot, design: Design, forms: Forms | None = None
) -> Fitted:
    """nlme's fit at ``optimum``, a snapshot of the same model with its ``forms``, where known."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RWarning)  # of a search that is not meant to move
            fitted = nlme.fit(spec, design, pin_at(spec, optimum))
    except FitError as error:
        return _searched(spec, design, f"nlme refuses the optimum found here ({error.message})")
    held = replace(fitted, snapshot=replace(fitted.snapshot, converged=True, warnings=()))
    why = astray(held.snapshot, optimum, forms or contract(optimum))
    return _searched(spec, design, why, held) if why else held


def _searched(spec: ModelSpec, design: Design, why: str, held: Fitted | None = None) -> Fitted:
    """nlme's own search, or where it stood when held, whichever is higher; either is told."""
    fitted, text = nlme.fit(spec, design), f"{why}: fitted by nlme's own search instead"
    if held is not None and held.snapshot.log_lik > fitted.snapshot.log_lik:
        fitted, text = held, why
    warn(text, RWarning)
    snapshot = replace(fitted.snapshot, warnings=(*fitted.snapshot.warnings, text))
    return replace(fitted, snapshot=snapshot)


def astray(held: FitSnapshot, optimum: FitSnapshot, forms: Forms) -> str:
    """Why ``held`` is not the fit at ``optimum``, whose are ``forms``; empty where it is."""
    lower = optimum.log_lik - contract(held, derivatives=False).log_likelihood
    if lower > LOWER:
        return f"nlme stands {lower:.2g} below the log-likelihood of the optimum found here"
    step = theta(held).values - theta(optimum).values
    moved = float(np.sqrt(step @ forms.trace2 @ step / 2))
    return "" if moved <= MOVED else f"nlme left the optimum found here by {moved:.2g} SE"


# --- the model with the values of the optimum -----------------------------------------------------


def pin_at(spec: ModelSpec, optimum: FitSnapshot) -> Pin:
    """The model with every structure at the optimum, and a control that lets nothing move."""
    random = tuple(
        (group, _pd_mat(structure, level, optimum.sigma))
        for (group, structure), level in zip(spec.random, optimum.levels)
    )
    control = {**spec.control, **HELD, **({"niterEM": 0} if spec.kind == "lme" else {})}
    control |= UPDATES if dict(computed(spec)) else {}
    cor, weights = spec.correlation, spec.weights
    if isinstance(cor, CorrelationStructure) and optimum.cor is not None and not cor.fixed:
        cor = replace(cor, value=_cor_value(optimum.cor))
    if weights is not None:
        weights = _var_func(weights, optimum.var)
    return Pin(replace(spec, random=random, correlation=cor, weights=weights), control)


def _pd_mat(structure: Structure, level: RandomLevel, sigma: float) -> Structure:
    blocks = getattr(structure, "blocks", (structure,))
    held: list[PdMat] = []
    for given, block in zip(blocks, level.blocks):
        at = [level.names.index(name) for name in block.names]
        D = _lifted(level.D[np.ix_(at, at)] / sigma**2, level.Z[:, at])
        coded = pd_unconstrained(block.pd_class, D, block.pd_class == "pdNatural")
        held.append(replace(given, value=coded))
    return pdBlocked(held) if isinstance(structure, pdBlocked) else held[0]


def _lifted(D: Array, Z: Array) -> Array:
    """D, or the nearest that nlme's logarithms reach: each eigenvalue at least a trifle."""
    unit = 1 / np.sqrt(np.maximum(np.einsum("ij,ij->j", Z, Z) / len(Z), 1e-300))
    unit = np.maximum(unit, np.sqrt(np.diag(D)))
    values, vectors = np.linalg.eigh(D / np.outer(unit, unit))
    if values[0] >= LIFT:
        return D
    return np.asarray((vectors * np.maximum(values, LIFT)) @ vectors.T * np.outer(unit, unit))


def _cor_value(cor: CorStruct) -> tuple[float, ...]:
    return tuple(cor.values.tolist())


def _var_func(structure: Structure, parts: tuple[VarFunc, ...]) -> Structure:
    if isinstance(structure, varComb):
        held = [_var_func(s, (v,)) for s, v in zip(structure.parts, parts)]
        if structure.names:
            return varComb(**dict(zip(structure.names, held)))  # type: ignore[arg-type]
        return varComb(*held)  # type: ignore[arg-type]
    if isinstance(structure, varFixed):
        return structure
    return replace(structure, **_var_values(parts[0]))  # type: ignore[type-var]


def _var_values(var: VarFunc) -> Mapping[str, Any]:
    """The arguments of nlme's constructor with the free coefficients."""
    free = {n: x for n, x, f in zip(var.names, var.values.tolist(), var.free.tolist()) if f}
    if var.var_class in ("varConstPower", "varConstProp"):
        second = "power" if var.var_class == "varConstPower" else "prop"
        return {part: _of_part(free, part) for part in ("const", second)}
    if var.var_class == "varIdent" or len(var.names) > 1:
        return {"value": free or None}
    return {"value": next(iter(free.values()), None)}


def _of_part(free: Mapping[str, float], part: str) -> Any:
    """``const.<stratum>`` by stratum, or the one ``const`` there is."""
    if part in free:
        return free[part]
    return {n[len(part) + 1 :]: x for n, x in free.items() if n.startswith(f"{part}.")} or None
