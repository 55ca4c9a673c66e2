"""A regression of its own for each group, nlme's ``lmList``, and fits side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import pandas as pd
from scipy import special

from ..core.arrays import Array
from ..core.least_squares import LeastSquares, least_squares
from ..errors import DataError, FormulaError, RWarning, SpecError, warn
from ..fit.components import Fit
from ..frame.columns import as_factor, column, drop_unused
from ..frame.design import check_columns
from ..frame.incoming import FrameLike, as_frame
from ..frame.texts import doubts
from ..model.formula import check_no_frame, parse_formula
from ..model.spec import gls_spec
from ..model.structure_text import formula_text
from ..model.structures import pdLogChol
from ..options import check_share
from ..r.prepare import prepare
from ..show.report import Report, Reported
from .groups import coef

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 6  # groups in a message
NORMAL_MAD = 1.4826  # a standard deviation in median absolute deviations of a normal


def lm_list(
    formula: str,
    data: FrameLike,
    group: str | None = None,
    *,
    contrasts: Mapping[str, Any] | None = None,
) -> LmList:
    """Ordinary least squares in each group, nlme's ``lmList``.

    Parameters
    ----------
    formula : str
        ``"distance ~ age"``; with ``"… | subject"`` the group may stand there.
    data : DataFrame
        Rows with missing values in a column of the formula or the group are left out.
    group : str, optional
        Column.
    contrasts : dict, optional
        As for :func:`rbridge.lme`.

    Returns
    -------
    LmList

    Raises
    ------
    SpecError, DataError, FormulaError
        No group, two groups, and as :func:`rbridge.gls`.

    Warns
    -----
    RWarning
        Groups whose rows do not determine every coefficient: ``.notes`` says which. A predictor
        that is text, nearly all of it numbers.

    Notes
    -----
    Bases (``poly``, ``ns``) and the levels of factors are those of all rows, so that coefficients
    mean the same in every group; nlme makes them anew in each.
    """
    check_no_frame(formula)
    fixed, group = _parts(formula, group)
    data = as_frame(data)
    check_columns(data, [group])
    factor = as_factor(column(data[group], group), group)
    present = data[~factor.missing]
    if present.empty:
        raise DataError(f"column {group!r} has no data: every value is missing")
    spec = gls_spec(fixed, contrasts=dict(contrasts or {}))
    snapshot, _ = prepare(spec, present)
    for text in doubts(spec, present):
        warn(text, RWarning)
    factor = drop_unused(factor.take(np.flatnonzero(~factor.missing)[snapshot.rows]))
    rows = [np.flatnonzero(factor.values == code) for code in range(len(factor.levels))]
    fits = {
        label: least_squares(snapshot.X[at], snapshot.y[at])
        for label, at in zip(factor.levels, rows)
    }
    found = LmList(fixed, group, data, list(snapshot.coef_names), fits)
    if len(found.notes):
        named = "; ".join(f"{g}: {why}" for g, why in found.notes.iloc[:_SHOWN].items())
        more = f" and {len(found.notes) - _SHOWN} more" if len(found.notes) > _SHOWN else ""
        warn(f"groups without all coefficients: {named}{more}", RWarning)
    return found


def _parts(formula: str, group: str | None) -> tuple[str, str]:
    parsed = parse_formula(formula)
    if len(parsed.groups) > 1:
        raise FormulaError("lm_list takes one group, '… | subject'", formula, 0)
    if parsed.groups:
        if group is not None and group != parsed.groups[0]:
            raise SpecError(
                f"group is {group!r}, and {parsed.groups[0]!r} in the formula: give one"
            )
        response = f"{formula_text(parsed.lhs)} " if parsed.lhs else ""
        return f"{response}~ {formula_text(parsed.rhs)}", parsed.groups[0]
    if group is None:
        raise SpecError("lm_list needs a group: lm_list('y ~ x', data, 'subject')")
    return formula, group


class LmList(Reported):
    """A least-squares fit for each group.

    Attributes
    ----------
    formula, group : str
    data : DataFrame
        The caller's own.
    nobs : Series
        Rows of each group.
    sigma : Series
        Residual standard deviation of each group; missing where no degree of freedom is left.
    df_resid : int
        Degrees of freedom of :attr:`pooled_sd`.
    notes : Series
        Which coefficients the rows of a group do not determine, for the groups where there are
        some; these coefficients are missing.
    """

    def __init__(
        self,
        formula: str,
        group: str,
        data: pd.DataFrame,
        names: list[str],
        fits: Mapping[str, LeastSquares],
    ) -> None:
        self.formula, self.group, self.data, self._fits = formula, group, data, dict(fits)
        self._names = names
        index = pd.Index(list(fits), name=group)
        rss = pd.Series([fit.rss for fit in fits.values()], index)
        df = pd.Series([fit.df for fit in fits.values()], index)
        self.sigma = np.sqrt(rss / df.where(df > 0)).rename("sigma")
        self.df_resid = int(df.sum())
        self._rss = float(rss.sum())
        ranks = pd.Series([int(np.isfinite(fit.beta).sum()) for fit in fits.values()], index)
        self.nobs = (df + ranks).rename("nobs")
        table = self.coef()
        missing = {g: ", ".join(table.columns[row.isna()]) for g, row in table.iterrows()}
        told = {g: f"{self.nobs[g]} row(s) do not determine {m}" for g, m in missing.items() if m}
        self.notes = pd.Series(told, dtype=object, name="note")

    def coef(self) -> pd.DataFrame:
        """Coefficients, groups × names."""
        return self._by_group([fit.beta for fit in self._fits.values()])

    def _by_group(self, rows: Sequence[Array]) -> pd.DataFrame:
        index = pd.Index(list(self._fits), name=self.group)
        return pd.DataFrame(np.array(rows), index=index, columns=self._names)

    @property
    def pooled_sd(self) -> float:
        """Residual standard deviation of all groups together, nlme's ``pooledSD``.

        Raises
        ------
        DataError
            No group has more rows than coefficients.
        """
        if not self.df_resid:
            raise DataError(
                "no group has more rows than coefficients: there is no residual to pool"
            )
        return float(np.sqrt(self._rss / self.df_resid))

    def se(self, pool: bool = True) -> pd.DataFrame:
        """Standard errors, groups × names, by the pooled or by each group's own deviation."""
        scale = self._by_group([fit.scale for fit in self._fits.values()])
        return scale * self.pooled_sd if pool else scale.mul(self.sigma, axis=0)

    def intervals(self, level: float = 0.95, pool: bool = True) -> pd.DataFrame:
        """t intervals of every coefficient, nlme's ``intervals``.

        Parameters
        ----------
        level : float
        pool : bool
            One residual variance for all groups, with the degrees of freedom of all; False for
            each group's own.

        Returns
        -------
        DataFrame
            Columns ``lower``, ``est.``, ``upper``; rows by coefficient and group.
        """
        check_share(level)
        own = [self.df_resid if pool else fit.df for fit in self._fits.values()]
        reach = self.se(pool).mul(special.stdtrit(np.maximum(own, 1), (1 + level) / 2), axis=0)
        center = self.coef()
        parts = {"lower": center - reach, "est.": center, "upper": center + reach}
        columns = {name: part.unstack() for name, part in parts.items()}
        frame = pd.DataFrame(columns).rename_axis(["coefficient", self.group])
        words = "pooled residual variance" if pool else "each group's own residual variance"
        frame.attrs["caption"] = f"least squares by {self.group}; {level:.0%} intervals, {words}"
        return frame

    def plot(self, level: float = 0.95, pool: bool = True, *, figsize: Any = None) -> Figure:
        """Coefficients of every group with their intervals, a panel a coefficient."""
        from ..show.groups import interval_panels

        table = self.intervals(level, pool)
        panels = {name: table.loc[name] for name in self._names}
        return interval_panels(panels, self.group, table.attrs["caption"], figsize)

    def pairs(self, *, figsize: Any = None) -> Figure:
        """Coefficients against each other, a point a group."""
        from ..show.groups import pairs_picture

        caption = f"least squares by {self.group}: {self.formula}; r: correlation over the groups"
        return pairs_picture(self.coef(), caption, figsize)

    def start(self) -> pdLogChol:
        """Random effects for every coefficient, started where these fits are: for ``rb.lme``.

        Variances relative to σ² from the median absolute deviations of the coefficients.
        """
        table = self.coef().dropna()
        ratio = (table - table.median()).abs().median() * NORMAL_MAD / self.pooled_sd
        ratio = ratio.clip(lower=1e-3)
        form = formula_text(parse_formula(self.formula).rhs)
        return pdLogChol(f"~ {form}", np.diag(ratio**2).tolist())

    def _report(self) -> Report:
        residual = f"pooled residual sd {self.pooled_sd:.6g} on {self.df_resid} df"
        parts: list[Any] = [("", residual), ("Coefficients", self.coef())]
        if len(self.notes):
            parts.append(("Not determined", self.notes.to_frame()))
        return Report(f"Least squares by {self.group}: {self.formula}", parts)

    def __repr__(self) -> str:
        return f"<LmList {self.formula}, {len(self._fits)} groups of {self.group}>"


ByGroup = Union[Fit, LmList]


def compare_fits(a: ByGroup, b: ByGroup, names: Sequence[str] = ("a", "b")) -> pd.DataFrame:
    """Coefficients of two fits side by side, group by group, nlme's ``compareFits``.

    Parameters
    ----------
    a, b : LmeResults of lme, or LmList
    names : two str
        What to call them.

    Returns
    -------
    DataFrame
        Groups × (coefficient, fit); empty where a fit does not have the group or the coefficient.

    Raises
    ------
    SpecError
        A gls, two names that are one, fits without a group in common.
    """
    if len(names) != 2 or names[0] == names[1]:
        raise SpecError(f"names must be two different texts, not {names!r}")
    tables = [fit.coef() if isinstance(fit, LmList) else coef(fit) for fit in (a, b)]
    if not set(tables[0].index) & set(tables[1].index):
        raise SpecError("the fits have no group in common")
    both = pd.concat(dict(zip(names, tables)), axis=1)
    order = list(dict.fromkeys([*tables[0], *tables[1]]))
    columns = [(name, label) for label in order for name in names if (name, label) in both]
    rows = list(dict.fromkeys([*tables[0].index, *tables[1].index]))
    return both.loc[rows, columns].swaplevel(axis=1)
