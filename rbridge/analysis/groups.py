"""Group by group: coefficients, random effects beside covariates, the covariance of the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from ..core.arrays import Array
from ..core.fixed_effects.prediction import NewRows, predict_rows
from ..core.marginal import covariance_of_rows
from ..core.snapshot import FitSnapshot
from ..errors import SpecError
from ..fit.components import Fit
from ..fit.regression import group_labels
from ..options import check_one_each, check_share, closest
from .given import given

_SHOWN = 8  # groups in a message


def coef(fit: Fit, level: int | str | None = None) -> pd.DataFrame:
    """Coefficients of each group, nlme's ``coef``: fixed effects plus predicted random effects.

    Parameters
    ----------
    fit : Fit
        Of ``lme``.
    level : int or str, optional
        1 (or its group's name) for the outermost groups …; by default the innermost.

    Returns
    -------
    DataFrame
        Groups × coefficients: those of the fixed effects, then random effects without a fixed one.

    Raises
    ------
    SpecError
        A gls fit, which has no groups; another level; two coefficients of one name.
    """
    snapshot, number = fit.snapshot, _level(fit, level)
    effects = [name for each in snapshot.levels[:number] for name in each.names]
    check_one_each(snapshot.coef_names)
    columns = list(dict.fromkeys([*snapshot.coef_names, *effects]))
    own = snapshot.levels[number - 1]
    fixed = dict(zip(snapshot.coef_names, snapshot.beta))
    values = np.tile([float(fixed.get(name, 0.0)) for name in columns], (len(own.labels), 1))
    first = _first_rows(own.codes)
    for each in snapshot.levels[:number]:
        at = [columns.index(name) for name in each.names]
        values[:, at] += each.b[each.codes[first]]
    return pd.DataFrame(values, index=_labels(snapshot, number), columns=columns)


def ranef(
    fit: Fit,
    level: int | str | None = None,
    augment: bool = False,
    *,
    data: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Random effects of the groups of one level, on request beside what is known of the groups.

    Parameters
    ----------
    fit : Fit
        Of ``lme``.
    level : int or str, optional
        As for :func:`coef`.
    augment : bool
        The other columns of the data by group, as nlme's ``ranef(augFrame = TRUE)``: means of
        numbers, the most frequent value of everything else (of several the first in order),
        missing values left out. Columns named like a random effect, and those of the groups, are
        not among them.
    data : DataFrame, optional
        The frame of the fit, which ``augment`` needs.

    Returns
    -------
    DataFrame
        Groups × effects (and covariates).
    """
    number = _level(fit, level)
    own, labels = fit.snapshot.levels[number - 1], _labels(fit.snapshot, number)
    effects = pd.DataFrame(own.b, index=labels, columns=list(own.names))
    if not augment:
        return effects
    frame = given(fit, data, "augment=True").iloc[fit.snapshot.rows]
    omitted = {*own.names, *(group for group, _ in fit.spec.random)}
    known = frame[[name for name in frame if name not in omitted]]
    parts = {name: typical(column, own.codes) for name, column in known.items()}
    return effects.join(pd.DataFrame(parts).set_axis(labels, axis=0))


def ranef_intervals(
    fit: Fit, level: int | str | None = None, coverage: float = 0.95
) -> dict[str, pd.DataFrame]:
    """Random effects of one level with prediction intervals, by effect.

    Parameters
    ----------
    fit : Fit
        Of ``lme``.
    level : int or str, optional
        As for :func:`coef`.
    coverage : float

    Returns
    -------
    dict of DataFrame
        Groups × ``lower``, ``est.``, ``upper``, by name of the effect.

    Notes
    -----
    b̂ ± z √Var(b̂ − b), the error of β̂ included, at θ̂. Henderson (1975), Biometrics 31, 423–447.
    """
    check_share(coverage)
    number, reach = _level(fit, level), special.ndtri((1 + coverage) / 2)
    own, found = fit.snapshot.levels[number - 1], {}
    for k, name in enumerate(own.names):
        predicted = predict_rows(fit.snapshot, fit.forms, _effect_rows(fit.snapshot, number, k))
        b, error = predicted.mean, np.sqrt(np.maximum(predicted.mse, 0))
        parts = {"lower": b - reach * error, "est.": b, "upper": b + reach * error}
        found[name] = pd.DataFrame(parts, index=_labels(fit.snapshot, number))
    return found


def _effect_rows(snapshot: FitSnapshot, number: int, effect: int) -> NewRows:
    """Rows whose expected response is one random effect, one for each group of a level."""
    own = snapshot.levels[number - 1]
    first, m = _first_rows(own.codes), len(own.labels)
    Z = [np.zeros((m, len(each.names))) for each in snapshot.levels]
    Z[number - 1][:, effect] = 1.0
    groups = [each.codes[first] for each in snapshot.levels]
    return NewRows(np.zeros((m, snapshot.X.shape[1])), tuple(Z), tuple(groups), np.ones(m))


def typical(column: pd.Series, codes: Array) -> Any:
    """One value a group: the mean of numbers, the most frequent of everything else."""
    groups = column.reset_index(drop=True).groupby(codes)
    dtype = column.dtype
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype):
        return groups.mean()
    found = groups.agg(lambda values: next(iter(values.mode()), None))
    return found.astype(dtype) if isinstance(dtype, pd.CategoricalDtype) else found


def cov_marginal(fit: Fit, group: Any = None, *, conditional: bool = False) -> pd.DataFrame:
    """Covariance of the responses of one group's rows, nlme's ``getVarCov``.

    Parameters
    ----------
    fit : Fit
    group : label, optional
        An outermost group; of a gls a group of its correlation (``"a/b"`` where several columns
        make it). By default the first.
    conditional : bool
        Given the random effects, S R S, in place of Z D Z' + S R S (``type = "marginal"``).

    Returns
    -------
    DataFrame
        Square; rows by their labels in the data.

    Raises
    ------
    SpecError
        No such group, or a gls without correlation.
    DataError
        A gls from a file, which has no names of its groups.
    """
    labels, codes = _outermost(fit)
    number = 0 if group is None else _number(str(group), labels)
    rows = np.flatnonzero(codes == number)
    names = fit.by_row(np.arange(fit.nobs), "row").sort_values().index[rows]
    V = covariance_of_rows(fit.snapshot, rows, conditional)
    return pd.DataFrame(V, index=names, columns=names)


def _outermost(fit: Fit) -> tuple[list[str], Array]:
    """The independent groups, and which of them each row is in."""
    snapshot, spec = fit.snapshot, fit.spec
    if snapshot.levels:
        return _labels(snapshot, 1), snapshot.levels[0].codes
    formula = spec.correlation.formula() if spec.correlation else None
    if snapshot.cor is None or formula is None:
        raise SpecError("a gls without correlation has no groups: its rows are independent")
    if not formula.groups:
        return ["all rows"], snapshot.cor.codes
    design = fit.in_r("the names of the groups of a gls").design
    first = _first_rows(snapshot.cor.codes)
    parts = [
        np.array(design.names.labels[name], dtype=object)[
            design.columns[design.names.group[name]].values[first]
        ]
        for name in formula.groups
    ]
    return ["/".join(labels) for labels in zip(*parts)], snapshot.cor.codes


def _number(group: str, labels: list[str]) -> int:
    if group in labels:
        return labels.index(group)
    near = closest(group, labels)
    hint = f"; did you mean {near!r}?" if near else ""
    shown = ", ".join(labels[:_SHOWN]) + (", …" if len(labels) > _SHOWN else "")
    raise SpecError(f"there is no group {group!r}{hint} (groups: {shown})")


def _level(fit: Fit, level: int | str | None) -> int:
    if not fit.snapshot.levels:
        raise SpecError("a gls fit has no random effects: its coefficients are fit.params")
    number = fit.level_number(level)
    if number == 0:
        raise SpecError(
            "level 0 is the population, which has no groups: its effects are fit.params"
        )
    return number


def _labels(snapshot: FitSnapshot, number: int) -> list[str]:
    return group_labels(snapshot)[number - 1]


def _first_rows(codes: Array) -> Array:
    return np.asarray(np.unique(codes, return_index=True)[1])
