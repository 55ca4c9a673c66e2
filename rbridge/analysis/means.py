"""Marginal means and contrasts between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import pandas as pd

from ..core.arrays import Array
from ..core.fixed_effects import contrasts as families
from ..core.fixed_effects.adjustments import ADJUSTMENTS, Family, adjusted
from ..core.fixed_effects.inference import Inference, KnownDf
from ..errors import SpecError
from ..fit.components import Fit
from ..model.formula import Name
from ..options import check_share, one_of
from ..show.cells import label, number
from ..show.report import Report, Reported
from ..show.result_frame import ResultFrame
from .fixed_effects import Asked, caption, inference_of, row_table
from .grid import Grid, grid, terms_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Contrasts = Union[
    str, pd.DataFrame, Mapping[str, Sequence[float]], Sequence[Sequence[float]], Array
]
HOW = ("pairwise", "reference", "consecutive", "polynomial")
RESULTS = ("contrast", "estimate", "se", "df", "t", "p", "lower", "upper")
MEANS_NOTE = {
    "equal": "the other factors weigh their levels equally",
    "proportional": "the other factors weigh their combinations by the rows of the data",
    "cells": "the other factors weigh their combinations by the rows of each cell",
}


class MarginalMeans(Reported):
    """Marginal means of some factors, and contrasts between them.

    Attributes
    ----------
    factors, by : tuple of str
        What the means are of, and within what contrasts are taken.
    grid : DataFrame
        The combinations, one row a mean.
    L : DataFrame, (means, p)
        The means as linear combinations of the coefficients.
    estimable : (means,) array
        False where empty cells leave a mean open; it has no numbers then.
    caption : str
        The method in words.
    """

    def __init__(
        self,
        grid: Grid,
        factors: tuple[str, ...],
        by: tuple[str, ...],
        asked: Asked,
        coef_names: Sequence[str],
        level: float,
        note: str,
        response: str = "the response",
    ) -> None:
        self.grid, self.factors, self.by = grid.frame, factors, by
        L, self.estimable = grid.combined(np.eye(len(grid.frame)))
        self.L = pd.DataFrame(L, columns=list(coef_names))
        self._grid, self._asked, self._level = grid, asked, level
        self._response = response
        self._shown = {name: _shown(name) for name in (*factors, *by)}
        self.caption = f"{caption(asked, level)}; {note}{self._open()}{self._renamed()}"

    def _open(self) -> str:
        """Which means cannot be estimated, in words."""
        rows = self.grid[~self.estimable].itertuples(index=False, name=None)
        listed = ", ".join("/".join(map(label, row)) for row in rows)
        return f"; empty cells leave open: {listed}" if listed else ""

    def _renamed(self) -> str:
        pairs = (f"; column {a!r} is shown as {b!r}" for a, b in self._shown.items() if a != b)
        return "".join(pairs)

    def to_frame(self) -> pd.DataFrame:
        """The factors' columns, then ``estimate se df lower upper``.

        A factor that has the name of a result's column is shown as ``estimate (data)``.
        """
        columns = self._table(np.eye(len(self.grid)), self._level)
        kept = {name: columns[name] for name in ("estimate", "se", "df", "lower", "upper")}
        frame = ResultFrame(self.grid.rename(columns=self._shown).assign(**kept))
        frame.attrs["caption"] = self.caption
        return frame

    def _table(self, C: Array, level: float) -> dict[str, Array]:
        """The row table of combinations of the means, NaN where one cannot be estimated."""
        L, estimable = self._grid.combined(C)
        if estimable.all():
            return row_table(self._asked, L, level)
        if not estimable.any():
            raise SpecError("empty cells leave everything open that was asked for")
        found = row_table(self._asked, L[estimable], level)
        columns = {name: np.full(len(L), np.nan) for name in found}
        for name, values in found.items():
            columns[name][estimable] = values
        return columns

    def contrasts(
        self,
        how: Contrasts = "pairwise",
        adjust: str = "none",
        *,
        reference: Any = None,
        level: float | None = None,
    ) -> pd.DataFrame:
        """Contrasts between the means, within each combination of the columns of ``by``.

        Parameters
        ----------
        how : {"pairwise", "reference", "consecutive", "polynomial"} or matrix
            All differences; against one level; each against the one before; orthogonal
            polynomials; or the weights: a frame or a mapping of a contrast's name to one number
            a mean, or a (k, m) array. A frame's columns are the means, by name or in order.
        adjust : {"none", "bonferroni", "holm", "tukey", "dunnett", "mvt"}
            Over the contrasts of one combination of ``by``. The limits are simultaneous too
            (Holm's are Bonferroni's).
        reference : optional
            The level to compare with; by default the first.
        level : float, optional
            Of the limits; by default that of the means.

        Returns
        -------
        DataFrame
            ``contrast``, the columns of ``by``, ``estimate se df t p lower upper``.

        Raises
        ------
        SpecError
            Another family or adjustment, a level that is none of the means.
        """
        _check_family(how, adjust, reference)
        level = self._level if level is None else level
        check_share(level)
        frames = [self._contrasts(rows, how, adjust, reference, level) for rows in self._by_cell()]
        frame = pd.concat(frames, ignore_index=True)
        words = "no adjustment" if adjust == "none" else f"{adjust} adjustment"
        frame.attrs["caption"] = f"{self.caption}; {words}"
        return frame

    def _by_cell(self) -> list[Array]:
        """The positions of the means within each combination of by."""
        if not self.by:
            return [np.arange(len(self.grid))]
        cell = self.grid.groupby(list(self.by), sort=False).ngroup().to_numpy()
        return [np.flatnonzero(cell == number) for number in range(int(cell.max()) + 1)]

    def _contrasts(
        self, rows: Array, how: Contrasts, adjust: str, reference: Any, level: float
    ) -> pd.DataFrame:
        means = self.grid[list(self.factors)].iloc[rows].itertuples(index=False, name=None)
        weights, names = _weights(how, [" ".join(map(label, mean)) for mean in means], reference)
        C = np.zeros((len(weights), len(self.grid)))
        C[:, rows] = weights
        columns: dict[str, Any] = self._table(C, level)
        if adjust != "none":
            columns |= self._adjusted(C, columns, adjust, level, len(rows))
        cell = {self._shown[name]: self.grid[name].iloc[rows[0]] for name in self.by}
        return ResultFrame({"contrast": names, **cell, **columns})

    def _adjusted(
        self, C: Array, columns: Mapping[str, Array], adjust: str, level: float, means: int
    ) -> dict[str, Array]:
        """p and limits, adjusted over the contrasts that can be estimated."""
        L, kept = self._grid.combined(C)
        estimate, se, t, df = (columns[name][kept] for name in ("estimate", "se", "t", "df"))
        corr = L[kept] @ self._asked.vcov @ L[kept].T / np.outer(se, se)
        p, width = adjusted(Family(t, df, corr, means), adjust, level)
        found = {name: np.full(len(C), np.nan) for name in ("p", "lower", "upper")}
        found["p"][kept] = p
        found["lower"][kept], found["upper"][kept] = estimate - width * se, estimate + width * se
        return found

    def plot(self, *, ax: Any = None, figsize: Any = None) -> Figure:
        """The means with their intervals; a line for each combination of ``by``.

        Over many values of a number (``at={"age": np.linspace(8, 14, 25)}``) a line is a curve
        with a band.
        """
        from ..show.means import means_picture

        of, within = ([self._shown[name] for name in names] for names in (self.factors, self.by))
        table, place = self.to_frame(), {"ax": ax, "figsize": figsize}
        return means_picture(table, of, within, self._response, self.caption, **place)

    def _report(self) -> Report:
        frame = self.to_frame().set_index(list(self._shown.values()))
        return Report("Marginal means", [(self.caption, frame)])

    def __repr__(self) -> str:
        return f"<MarginalMeans of {', '.join(self._shown)}: {len(self.grid)} means>"


def means(
    fit: Fit,
    factors: str | Sequence[str],
    by: str | Sequence[str] = (),
    *,
    at: Mapping[str, Any] | None = None,
    weights: str = "equal",
    level: float = 0.95,
    **options: Any,
) -> MarginalMeans:
    """Marginal (least-squares) means of some factors, as emmeans and SAS's LSMEANS have them.

    Parameters
    ----------
    fit : Fit
    factors : str or list of str
        Columns of the data in the fixed effects.
    by : str or list of str
        Columns within whose levels the means are compared.
    at : mapping, optional
        Values of columns, ``{"age": [8, 14]}``; by default every level of a factor, the mean of a
        number.
    weights : {"equal", "proportional", "cells"}
        How the levels of the factors that are not asked for are averaged.
    level : float
        Of the confidence limits.
    **options
        ``ddf``, ``information``, ``kr``, ``vcov``, ``cluster``: as for
        :func:`rbridge.analysis.fixed_effects.fixed_effects`.

    Returns
    -------
    MarginalMeans

    Raises
    ------
    SpecError
        A column that is in no term or a level that the fit has not seen, by name.
    DataError
        Without R, a model with computed variables such as ``poly(x, 2)``.

    References
    ----------
    Searle, Speed and Milliken (1980), The American Statistician 34, 216–221.
    """
    asked = of_means(fit, **options)
    return means_of(fit, asked, factors, by, at=at, weights=weights, level=level)


def of_means(fit: Fit, **options: Any) -> Inference:
    """As :func:`.fixed_effects.inference_of`; by containment the intercept has m − 1 df.

    nlme gives the intercept the most df of all; a mean varies with the m outermost groups. So has
    emmeans.
    """
    asked = inference_of(fit, **options)
    intercept = terms_of(fit).assign == 0
    if options.get("ddf") != "containment" or not fit.snapshot.levels or not intercept.any():
        return asked
    df = np.where(intercept, len(fit.snapshot.levels[0].labels) - 1.0, fit.snapshot.df)
    words = f"{asked.description}, of the intercept by the outermost groups"
    return replace(asked, method=KnownDf(asked.vcov, df), description=words)


def means_of(
    fit: Fit,
    asked: Asked,
    factors: str | Sequence[str],
    by: str | Sequence[str],
    *,
    at: Mapping[str, Any] | None,
    weights: str,
    level: float,
) -> MarginalMeans:
    """Marginal means on the grid of one fit, by whatever answers for the coefficients."""
    of, within = _names(factors, "means"), _names(by, "by")
    if not of:
        raise SpecError("means needs the column or columns to take them of")
    twice = [name for name in (*of, *within) if (*of, *within).count(name) > 1]
    if twice:
        raise SpecError(f"{twice[0]!r} stands twice among the factors and in by")
    check_share(level)
    found = grid(fit, [*within, *of], _mapping(at), weights)
    ordered = replace(found, frame=found.frame[[*of, *within]])
    names = fit.snapshot.coef_names
    note = "; ".join([MEANS_NOTE[weights], *_held(found), *_scale(fit)])
    return MarginalMeans(ordered, of, within, asked, names, level, note, fit.spec.response)


def _held(grid: Grid) -> list[str]:
    """At which values the other numbers stand."""
    listed = ", ".join(f"{name} {number(value)}" for name, value in grid.held.items())
    return [f"held at: {listed}"] if listed else []


def _scale(fit: Fit) -> list[str]:
    """That the means are of log(y), not of y."""
    plain = isinstance(fit.spec.formula.lhs, Name)
    return [] if plain else [f"on the scale of {fit.spec.response}, not of the response"]


def _names(what: str | Sequence[str], argument: str) -> tuple[str, ...]:
    names = (what,) if isinstance(what, str) else what
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise SpecError(f"{argument} takes the name of a column or a list of names, not {what!r}")
    return tuple(names)


def _mapping(at: Any) -> Mapping[str, Any]:
    if at is None or isinstance(at, Mapping):
        return at or {}
    raise SpecError(f"at takes a mapping of columns to values, {{'age': [8, 14]}}, not {at!r}")


def _shown(name: str) -> str:
    return f"{name} (data)" if name in RESULTS else name


def _check_family(how: Contrasts, adjust: str, reference: Any) -> None:
    one_of(adjust, ADJUSTMENTS, "adjust")
    family = one_of(how, HOW, "how") if isinstance(how, str) else "custom"
    if adjust == "tukey" and family != "pairwise":
        raise SpecError("adjust='tukey' is for how='pairwise': use 'mvt' for other contrasts")
    if adjust == "dunnett" and family != "reference":
        raise SpecError("adjust='dunnett' is for how='reference': use 'mvt' for others")
    if reference is not None and family != "reference":
        raise SpecError("reference is for how='reference'")


def _weights(how: Contrasts, labels: Sequence[str], reference: Any) -> tuple[Array, list[str]]:
    """Weights of the means and the name of each contrast."""
    k = len(labels)
    if not isinstance(how, str):
        return _given(how, labels)
    if k < 2:
        raise SpecError("there is one mean only, and nothing to compare it with")
    if how == "polynomial":
        C = families.polynomial(k)
        names = [*families.POLYNOMIALS, *(f"degree {d}" for d in range(5, families.MOST + 1))]
        return C, names[: len(C)]
    base = 0 if reference is None else _place(reference, labels)
    if how == "reference":
        C = families.reference(k, base)
    else:
        C = families.pairwise(k) if how == "pairwise" else families.consecutive(k)
    return C, [f"{labels[int(row.argmax())]} - {labels[int(row.argmin())]}" for row in C]


def _place(reference: Any, labels: Sequence[str]) -> int:
    parts = reference if isinstance(reference, (list, tuple)) else [reference]
    wanted = " ".join(label(float(x) if type(x) is int else x) for x in parts)
    if wanted not in labels:
        raise SpecError(f"reference={reference!r} is none of the means ({', '.join(labels)})")
    return list(labels).index(wanted)


def _given(how: Any, labels: Sequence[str]) -> tuple[Array, list[str]]:
    """Weights that the user wrote down."""
    named = how.index if isinstance(how, pd.DataFrame) else how if isinstance(how, Mapping) else ()
    names = list(map(str, named))
    try:
        C = np.atleast_2d(np.array(_rows_of(how, labels), dtype=float))
    except (TypeError, ValueError):
        C = np.zeros((0, 0))
    if C.ndim != 2 or C.shape[1] != len(labels) or not len(C) or not np.isfinite(C).all():
        listed = ", ".join(labels)
        raise SpecError(f"contrasts need a finite weight for each of {len(labels)} means: {listed}")
    return C, names or [f"contrast {i + 1}" for i in range(len(C))]


def _rows_of(how: Any, labels: Sequence[str]) -> Any:
    if isinstance(how, Mapping):
        return list(how.values())
    if not isinstance(how, pd.DataFrame) or isinstance(how.columns, pd.RangeIndex):
        return how
    renamed = how.rename(columns=label)
    return renamed[list(labels)] if sorted(renamed) == sorted(labels) else ()
