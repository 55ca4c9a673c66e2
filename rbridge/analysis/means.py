"""Marginal means and contrasts between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import pandas as pd

from ..core.arrays import Array
from ..core.fixed_effects import contrasts as families
from ..core.fixed_effects.adjustments import ADJUSTMENTS, Family, adjusted
from ..errors import SpecError
from ..fit.components import Fit
from ..options import one_of
from ..show.report import Report
from .fixed_effects import Asked, caption, inference_of, row_table
from .grid import grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Contrasts = Union[
    str, pd.DataFrame, Mapping[str, Sequence[float]], Sequence[Sequence[float]], Array
]
HOW = ("pairwise", "reference", "consecutive", "polynomial")
MEANS_NOTE = {
    "equal": "the other factors weigh their levels equally",
    "proportional": "the other factors weigh their combinations by the rows of the data",
    "cells": "the other factors weigh their combinations by the rows of each cell",
}


class MarginalMeans:
    """Marginal means of some factors, and contrasts between them.

    Attributes
    ----------
    factors, by : tuple of str
        What the means are of, and within what contrasts are taken.
    grid : DataFrame
        The combinations, one row a mean.
    L : DataFrame, (means, p)
        The means as linear combinations of the coefficients.
    caption : str
        The method in words.
    """

    def __init__(
        self,
        grid: pd.DataFrame,
        L: Array,
        factors: tuple[str, ...],
        by: tuple[str, ...],
        asked: Asked,
        coef_names: Sequence[str],
        level: float,
        note: str,
    ) -> None:
        self.grid, self.factors, self.by = grid, factors, by
        self.L = pd.DataFrame(L, columns=list(coef_names))
        self.caption = f"{caption(asked, level)}; {note}"
        self._asked, self._level = asked, level

    def to_frame(self) -> pd.DataFrame:
        """The factors' columns, then ``estimate se df lower upper``."""
        columns = row_table(self._asked, self.L.to_numpy(), self._level)
        kept = {name: columns[name] for name in ("estimate", "se", "df", "lower", "upper")}
        frame = self.grid.assign(**kept)
        frame.attrs["caption"] = self.caption
        return frame

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
            a mean, or a (k, m) array.
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
        one_of(adjust, ADJUSTMENTS, "adjust")
        if adjust == "tukey" and how != "pairwise":
            raise SpecError("adjust='tukey' is for how='pairwise': use 'mvt' for other contrasts")
        if adjust == "dunnett" and how != "reference":
            raise SpecError("adjust='dunnett' is for how='reference': use 'mvt' for others")
        level = self._level if level is None else level
        frames = [self._contrasts(rows, how, adjust, reference, level) for rows in self._by_cell()]
        frame = pd.concat(frames, ignore_index=True)
        words = "no adjustment" if adjust == "none" else f"{adjust} adjustment"
        frame.attrs["caption"] = f"{self.caption}; {words}"
        return frame

    def _by_cell(self) -> list[Array]:
        """The positions of the means within each combination of by."""
        if not self.by:
            return [np.arange(len(self.grid))]
        groups = self.grid.groupby(list(self.by), sort=False).indices
        return sorted(groups.values(), key=lambda rows: int(rows[0]))

    def _contrasts(
        self, rows: Array, how: Contrasts, adjust: str, reference: Any, level: float
    ) -> pd.DataFrame:
        labels = [
            " ".join(map(str, row)) for row in self.grid[list(self.factors)].iloc[rows].values
        ]
        C, names = _weights(how, labels, reference)
        L = C @ self.L.to_numpy()[rows]
        columns: dict[str, Any] = row_table(self._asked, L, level)
        cov = L @ self._asked.vcov @ L.T
        corr = cov / np.outer(columns["se"], columns["se"])
        family = Family(columns["t"], columns["df"], corr, len(rows))
        columns["p"], width = adjusted(family, adjust, level)
        columns["lower"] = columns["estimate"] - width * columns["se"]
        columns["upper"] = columns["estimate"] + width * columns["se"]
        cell = {name: self.grid[name].iloc[rows[0]] for name in self.by}
        return pd.DataFrame({"contrast": names, **cell, **columns})

    def plot(self) -> Figure:
        """The means with their intervals; a line for each combination of ``by``."""
        from ..show.means import means_picture

        return means_picture(self.to_frame(), self.factors, self.by, self.caption)

    def _report(self) -> Report:
        return Report("Marginal means", [(self.caption, self.to_frame().set_index(self._index()))])

    def _index(self) -> list[str]:
        return [*self.factors, *self.by]

    def __str__(self) -> str:
        return str(self._report())

    def __repr__(self) -> str:
        return f"<MarginalMeans of {', '.join(self._index())}: {len(self.grid)} means>"

    def _repr_html_(self) -> str:
        return self._report().to_html()


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
    asked = inference_of(fit, **options)
    return means_of(fit, asked, factors, by, at=at, weights=weights, level=level)


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
    of, within = _names(factors), _names(by)
    if not of:
        raise SpecError("means needs the column or columns to take them of")
    twice = [name for name in of if name in within]
    if twice:
        raise SpecError(f"{twice[0]!r} stands among the factors and in by")
    found = grid(fit, [*within, *of], dict(at or {}), weights)
    ordered = found.frame[[*of, *within]]
    names = fit.snapshot.coef_names
    return MarginalMeans(ordered, found.L, of, within, asked, names, level, MEANS_NOTE[weights])


def _names(what: str | Sequence[str]) -> tuple[str, ...]:
    return (what,) if isinstance(what, str) else tuple(what)


def _weights(how: Contrasts, labels: Sequence[str], reference: Any) -> tuple[Array, list[str]]:
    """Weights of the means and the name of each contrast."""
    k = len(labels)
    if not isinstance(how, str):
        return _given(how, labels)
    one_of(how, HOW, "how")
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
    if str(reference) not in labels:
        raise SpecError(f"reference={reference!r} is none of the means ({', '.join(labels)})")
    return list(labels).index(str(reference))


def _given(how: Any, labels: Sequence[str]) -> tuple[Array, list[str]]:
    """Weights that the user wrote down."""
    if isinstance(how, pd.DataFrame):
        C, names = how.to_numpy(dtype=float), list(map(str, how.index))
    elif isinstance(how, Mapping):
        C, names = np.array(list(how.values()), dtype=float), list(map(str, how))
    else:
        C = np.atleast_2d(np.asarray(how, dtype=float))
        names = [f"contrast {i + 1}" for i in range(len(C))]
    if C.ndim != 2 or C.shape[1] != len(labels) or not np.isfinite(C).all():
        raise SpecError(f"contrasts need a finite weight for each of {len(labels)} means")
    return C, names
