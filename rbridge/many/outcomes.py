"""Many outcomes on one design: one preparation by R, and all at once where the model allows it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..check.diagnose import at_once
from ..core.fitting.batch import together
from ..core.fitting.heights import Fits
from ..core.parameters import theta
from ..core.snapshot import FitSnapshot
from ..errors import InformationError, RBridgeError
from ..fit.components import Fit
from ..fit.native import doubtful
from ..model.formula import Name, variables
from ..model.spec import ModelSpec
from ..options import check_one_each
from ..r.prepare import prepare

Item = tuple[int, ModelSpec, int, int]  # number, model, first row, row after the last


@dataclass(frozen=True)
class FitRow:
    """One fit, as plain data: its number, why it failed, and the numbers of its row."""

    item: int
    reason: str = ""
    converged: bool = False
    warnings: str = ""
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def failures(self) -> int:
        return int(bool(self.reason))


def row_of(item: int, snapshot: FitSnapshot, se: tuple[str, ...]) -> FitRow:
    """The row of a fit."""
    check_one_each(snapshot.coef_names)  # of which the row could hold one
    fit = Fit(snapshot)
    values = {"nobs": fit.nobs, "llf": fit.llf, "aic": fit.aic, "bic": fit.bic, **fit.varcomp}
    said = [*fit.warnings_, *at_once(fit)]
    for method in se:
        try:
            errors = fit.varcomp_vcov(method).se
        except RBridgeError as error:
            said.append(f"no {method} standard errors: {error}")
            continue
        said += [fit.apvar_doubt()] if method == "delta" else []
        values |= {f"se_{method}.{name}": error for name, error in errors.items()}
    values |= {f"fixed.{name}": value for name, value in fit.params.items()}
    values |= {f"se.fixed.{name}": error for name, error in fit.bse.items()}
    return FitRow(item, "", fit.converged, "; ".join(filter(None, said)), values)


def fitted_together(data: pd.DataFrame, fits: Sequence[Item]) -> dict[int, FitRow]:
    """Rows of those fits that share a design and can be fitted at once, by their numbers."""
    designs: dict[Any, list[Item]] = {}
    for item in fits:
        if (key := _design(item)) is not None:
            designs.setdefault(key, []).append(item)
    found: dict[int, FitRow] = {}
    for members in designs.values():
        if len(members) > 1:
            found |= _together(data.iloc[slice(*members[0][2:])], members)
    return found


def _design(item: Item) -> Any:
    """What fits of one design have in common; None where the outcome is no column of its own."""
    _, spec, start, stop = item
    lhs, beside = spec.formula.lhs, spec.beside_response
    if not isinstance(lhs, Name) or lhs.name in beside.columns:
        return None
    return beside.text, start, stop


def _together(data: pd.DataFrame, members: Sequence[Item]) -> dict[int, FitRow]:
    """Of one design; those whose outcome is not whole, or whose fit needs care, are left out."""
    names = [variables(spec.formula.lhs)[0] for _, spec, _, _ in members]
    Y, whole = _whole(data[names])
    if len(whole) < 2:
        return {}
    spec = members[whole[0]][1]
    try:
        prepared, design = prepare(spec, data)
    except RBridgeError:
        return {}
    batch = None if design.n_dropped or doubtful(spec, prepared) else together(prepared)
    if batch is None:
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            fits = batch.fit(Y[prepared.rows])
    except (InformationError, np.linalg.LinAlgError):
        return {}
    return rows_of([members[i][0] for i in whole], prepared, fits, np.full(len(whole), prepared.n))


def _whole(outcomes: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The (n, k) outcomes that are finite numbers throughout, and which they are."""
    kinds = [d.kind if isinstance(d, np.dtype) else "O" for d in outcomes.dtypes]
    numbers = np.flatnonzero(np.isin(kinds, list("fiu")))
    Y = outcomes.iloc[:, numbers].to_numpy(float)
    finite = np.isfinite(Y).all(axis=0)
    return Y[:, finite], numbers[finite]


def rows_of(
    items: Sequence[int], prepared: FitSnapshot, fits: Fits, n: NDArray[np.intp]
) -> dict[int, FitRow]:
    """As :func:`row_of`, by item; without those that did not converge or have no information.

    ``prepared`` is the model, ``n`` (k,) the rows of each fit.
    """
    p, names = prepared.X.shape[1], theta(prepared).names
    if len(set(prepared.coef_names)) < p:
        return {}  # as row_of says of each
    k = p + len(names)
    inflation = n / (n - p) if prepared.method == "ML" else np.ones(len(n))
    size = n - p if prepared.method == "REML" else n
    good = fits.converged & (np.linalg.cond(_scaled(fits.information)) < 1e12)
    se = np.full(fits.theta.shape, np.nan)
    se[good] = np.sqrt(np.einsum("kii->ki", np.linalg.inv(fits.information[good])))
    fixed_se = np.sqrt(np.einsum("kii,k->ki", fits.beta_cov, inflation))
    labels = [
        *("llf", "aic", "bic", *names),
        *(f"se_expected.{name}" for name in names),
        *(f"fixed.{name}" for name in prepared.coef_names),
        *(f"se.fixed.{name}" for name in prepared.coef_names),
    ]
    llf = fits.log_lik
    about = [llf, 2 * k - 2 * llf, k * np.log(size) - 2 * llf]
    table = np.column_stack([*about, fits.theta, se, fits.beta, fixed_se])
    return {
        item: FitRow(item, "", True, "", {"nobs": rows, **dict(zip(labels, row))})
        for item, rows, row, fine in zip(items, n.tolist(), table.tolist(), good.tolist())
        if fine
    }


def _scaled(information: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        unit = np.sqrt(np.einsum("kii->ki", information))
        scaled = information / (unit[:, :, None] * unit[:, None, :])
    return np.where(np.isfinite(scaled), scaled, 0.0)
