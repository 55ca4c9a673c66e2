"""Variances that depend on covariates, at covariate values that the user gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Union

import numpy as np
import pandas as pd

from ..core.arrays import Array
from ..core.quantities.quantity import Point, Quantity, squared_deviations
from ..core.snapshot import RandomLevel
from ..errors import SpecError
from ..fit.components import Fit
from ..fit.vcov import VarcompVcov
from ..fit.within import value_of, var_at
from ..frame.incoming import FrameLike, as_frame
from ..options import one_of
from .derive import derived

At = Union[Mapping[str, Any], FrameLike]


def variance_at(fit: Fit, at: At, of: str = "total", method: str = "expected") -> VarcompVcov:
    """Marginal variance of an observation with given covariates, or a part of it.

    Parameters
    ----------
    fit : Fit
    at : mapping or DataFrame
        Values of the random effects' covariates by nlme's name of the effect,
        ``{"age": [8, 14]}`` (``(Intercept)`` is 1, ``a:b`` the product where not given), and of
        the variables of the variance function: its covariate, its strata.
    of : str
        ``total``, ``residual``, or a grouping level for its z'Dz.
    method : {"expected", "observed", "average", "delta"}

    Returns
    -------
    VarcompVcov
        A row for each row of ``at``.

    Raises
    ------
    SpecError
        ``of`` is no part, or ``at`` lacks a value that is needed; the message names it.

    Notes
    -----
    Σ_levels z'Dz + σ² s². A correlation structure, with or without nugget, does not change it.
    """
    levels = {level.group: k for k, level in enumerate(fit.snapshot.levels)}
    one_of(of, ("total", "residual", *levels), "of")
    frame = _frame(at)
    chosen = {k: fit.snapshot.levels[k] for group, k in levels.items() if of in ("total", group)}
    parts = [_random_part(level, k, frame) for k, level in chosen.items()]
    if of in ("total", "residual"):
        parts.append(_residual_part(fit, frame))
    labels = [
        ", ".join(f"{name}={v}" for name, v in row.items()) for row in frame.to_dict("records")
    ]
    wanted = {f"{of}({label})": _row(parts, i) for i, label in enumerate(labels)}
    return derived(fit, wanted, method, "Variances at given covariates")


def slope_variance_at(
    fit: Fit, at: At, level: str | None = None, method: str = "expected"
) -> VarcompVcov:
    """z'Dz of one level (by default the outermost) at covariate values; see :func:`variance_at`."""
    if not fit.snapshot.levels:
        raise SpecError("the model has no random effects")
    return variance_at(fit, at, level or fit.snapshot.levels[0].group, method)


def _frame(at: At) -> pd.DataFrame:
    if isinstance(at, pd.DataFrame) or not hasattr(at, "items"):
        return as_frame(at).reset_index(drop=True)
    columns = {name: np.atleast_1d(np.asarray(values)) for name, values in at.items()}
    lengths = {len(column) for column in columns.values()} - {1}
    if len(lengths) > 1:
        raise SpecError(f"the values in at have different lengths: {sorted(lengths)}")
    size = lengths.pop() if lengths else 1
    return pd.DataFrame({name: np.resize(column, size) for name, column in columns.items()})


def _row(parts: list[Callable[[Point], Any]], row: int) -> Quantity:
    return Quantity("variance", lambda p: sum(part(p)[row] for part in parts))


def _random_part(level: RandomLevel, k: int, frame: pd.DataFrame) -> Callable[[Point], Any]:
    """z'Dz of every row."""
    z = np.column_stack([_effect(name, frame, level.group) for name in level.names])
    return lambda p: np.einsum("ni,ij,nj->n", z, p.D[k], z)


def _effect(name: str, frame: pd.DataFrame, group: str) -> Array:
    if name == "(Intercept)":
        return np.ones(len(frame))
    if name not in frame and ":" in name:
        parts = [_effect(part, frame, group) for part in name.split(":")]
        return np.asarray(np.prod(parts, axis=0))
    return np.asarray(value_of(frame, name, f"random effects of {group}"), dtype=float)


def _residual_part(fit: Fit, frame: pd.DataFrame) -> Callable[[Point], Any]:
    """σ² s² of every row."""
    weights = fit.spec.weights if fit.snapshot.var else None
    forms = getattr(weights, "parts", (weights,))
    var = tuple(var_at(v, form, frame) for v, form in zip(fit.snapshot.var, forms))

    return lambda p: p.sigma_sq * squared_deviations(var, p) * np.ones(len(frame))
