"""Variance components and their joint covariance; nlme's apVar with its names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..core import delta
from ..core.intervals import nlme as intervals
from ..errors import DataError, SpecError
from ..show.report import Report, Reported
from ..show.result_frame import ResultFrame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS = ("delta", "expected", "average", "observed")
SOURCES = {
    "delta": "nlme's apVar by the delta method",
    "expected": "expected information, computed exactly",
    "average": "average information, computed exactly",
    "observed": "observed information, computed exactly",
}
DERIVED = "Derived quantities"
SCALES = {"variance": "log", "scale": "log", "correlation": "Fisher's z", "proportion": "logit"}
FOR = {"Fisher's z": "correlations", "logit": "proportions"}


@dataclass(frozen=True)
class NamedApVar(Reported):
    """nlme's ``apVar`` with its names.

    Attributes
    ----------
    pars : Series, length r
        ``attr(apVar, "Pars")``: the unconstrained parameters. Names may repeat, as in nlme.
    cov : DataFrame, (r, r)
        Their approximate covariance.
    natural : bool
        Whether unstructured matrices are in nlme's natural parameterisation.
    """

    pars: pd.Series
    cov: pd.DataFrame
    natural: bool

    def _report(self) -> Report:
        pars = ("Pars: the parameters on nlme's own scale", self.pars.to_frame())
        return Report("apVar of nlme", [pars, ("Their approximate covariance", self.cov)])


class VarcompVcov(Reported):
    """Variance components with their joint covariance matrix.

    Attributes
    ----------
    estimates, se : Series, length r
        Natural-scale components (variances, covariances …) and standard errors.
    cov, corr : DataFrame, (r, r)
        Their sampling covariance and correlation.
    method : str
        How ``cov`` was obtained: delta, expected, average, observed.
    source : str
        The same in words, with who computed it.
    kinds : tuple of str, length r
        The range of each (``variance``, ``correlation`` …); empty where it is not known.
    what : str
        What the estimates are, for captions.
    coefficients : mapping of str to str
        nlme's names of the coefficients that a label only numbers; shown beside the label.
    """

    def __init__(
        self,
        estimates: pd.Series,
        cov: pd.DataFrame,
        method: str,
        source: str,
        kinds: tuple[str, ...] = (),
        *,
        what: str = "Variance components",
        coefficients: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.estimates = estimates
        self.cov = cov
        self.method = method
        self.source = source
        self.kinds = kinds
        self.what = what
        self.coefficients = dict(coefficients)

    @property
    def se(self) -> pd.Series:
        """Standard errors."""
        return pd.Series(np.sqrt(np.diag(self.cov)), self.estimates.index, name="se")

    @property
    def corr(self) -> pd.DataFrame:
        """Sampling correlations of the estimates, (r, r)."""
        return self.cov / np.outer(self.se, self.se)

    def conf_int(self, level: float = 0.95, *, scale: str = "natural") -> pd.DataFrame:
        """Wald confidence intervals.

        Parameters
        ----------
        level : float
        scale : {"natural", "log"}
            ``natural``: estimate ± z·se. ``log``: on the log scale for variances, Fisher's z
            for correlations, the logit for proportions, and back; covariances stay natural.

        Returns
        -------
        DataFrame
            Columns ``lower``, ``upper``; ``attrs["method"]`` names the interval.
        """
        lower, upper = intervals.wald(
            self.estimates, self.cov, level, scale=scale, kinds=self.kinds  # type: ignore[arg-type]
        )
        frame = pd.DataFrame({"lower": lower, "upper": upper}, index=self.estimates.index)
        frame.attrs["method"] = f"{level:.0%} Wald intervals, {self._scale(scale)}"
        return frame

    def _scale(self, asked: str) -> str:
        """The scale that the intervals are on, in words."""
        used = [scale for scale in SCALES.values() if scale in map(SCALES.get, self.kinds)]
        if asked == "natural" or not used:
            return "natural scale"
        first, *others = dict.fromkeys(used)
        more = f" ({', '.join(f'{scale} for {FOR[scale]}' for scale in others)})" if others else ""
        rest = "" if all(kind in SCALES for kind in self.kinds) else ", natural for the rest"
        return f"{first} scale{more}{rest}"

    def transform(
        self, g: Callable[..., Any], names: str | Sequence[str] | None = None
    ) -> VarcompVcov:
        """The same for g(estimates), by the delta method (:func:`rbridge.delta_method`)."""
        result = delta_method(g, self.estimates, self.cov, names=names)
        source = f"{self.source}; delta method"
        return VarcompVcov(result.estimates, result.cov, self.method, source, what=DERIVED)

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Estimates, standard errors and Wald intervals.

        The intervals are those of ``conf_int(level, scale="log")``, which keep variances positive
        and correlations below one, wherever the components' ranges are known; ``attrs["method"]``
        names them.
        """
        try:
            interval = self.conf_int(level, scale="log" if self.kinds else "natural")
        except DataError:  # an estimate on its bound has no logarithm
            interval = self.conf_int(level)
        frame = ResultFrame({"estimate": self.estimates, "se": self.se}).join(interval)
        frame.attrs = interval.attrs
        return frame

    def plot(self, level: float = 0.95, *, figsize: Any = None) -> Figure:
        """Estimates with Wald intervals, and the correlations of the estimates."""
        from ..show.components import vcov_picture

        table = self.to_frame(level)
        caption = f"{self.what[0].lower()}{self.what[1:]}: {table.attrs['method']}; {self.source}"
        return vcov_picture(self._named(table), self._named(self.corr), caption, figsize)

    def _named(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame as it is shown, with nlme's names of coefficients beside their labels."""
        return with_names(frame, self.coefficients)

    def _report(self) -> Report:
        table = self.to_frame()
        cov = ("Covariance of the estimates", self._named(self.cov))
        parts = [(table.attrs["method"], self._named(table)), cov]
        return Report(f"{self.what} ({self.source})", parts)

    def __repr__(self) -> str:
        what = f"{len(self.estimates)} {self.what[0].lower()}{self.what[1:]}"
        return f"<VarcompVcov {self.method}: {what}, {self.source}>"


def with_names(frame: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """A frame whose labels say which coefficient they number: ``cor_params4 = cor(1,5)``."""
    full = {label: f"{label} = {name}" for label, name in names.items()}
    square = list(frame.index) == list(frame.columns)
    return frame.rename(index=full, columns=full if square else {})


def square(matrix: Any, index: Any) -> pd.DataFrame:
    return pd.DataFrame(np.asarray(matrix), index=index, columns=index)


def delta_method(
    g: Callable[..., Any],
    estimates: Mapping[str, float] | pd.Series | ArrayLike,
    cov: pd.DataFrame | ArrayLike,
    *,
    names: str | Sequence[str] | None = None,
    jacobian: Any = None,
) -> VarcompVcov:
    """Estimate and covariance of a function of anybody's estimates, by the delta method.

    Parameters
    ----------
    g : callable
        From the (r,) vector of estimates to a number or a (k,) vector, in numpy. Where the
        estimates have names it may ask for them: ``lambda b: b["armHigh"] - b["armLow"]``.
    estimates : Series, mapping or (r,) array
    cov : DataFrame or (r, r) array
        Covariance of the estimates. A DataFrame is aligned to the names of a Series.
    names : str or sequence of str, optional
        Names of the k results.
    jacobian : (k, r) array or callable, optional
        By default complex step where g is analytic, else Richardson differences.

    Returns
    -------
    VarcompVcov
        ``method`` is ``"delta"``.

    Raises
    ------
    DataError, SpecError
        Shapes or names that do not fit, values that are not finite.

    Notes
    -----
    Cov(g(x)) ≈ J Σ J' with the full J and the full Σ.
    """
    series = pd.Series(dict(estimates)) if isinstance(estimates, Mapping) else estimates
    if isinstance(series, pd.Series) and isinstance(cov, pd.DataFrame):
        cov = _by_name(cov, series)
    if isinstance(series, pd.Series):
        g = _by_names(g, series)
    result = delta.delta_method(g, np.asarray(series), np.asarray(cov), jacobian=jacobian)
    labels = _labels(names, len(result.estimates))
    found = pd.Series(result.estimates, labels, name="estimate")
    cov = square(result.cov, labels)
    return VarcompVcov(found, cov, "delta", "the delta method", what=DERIVED)


def _by_names(g: Callable[..., Any], estimates: pd.Series) -> Callable[..., Any]:
    """``g`` as a function of an array; one that no array will do for is given a Series."""
    try:
        g(np.asarray(estimates))
        return g
    except (LookupError, AttributeError, TypeError):
        return lambda values: g(pd.Series(values, index=estimates.index))


def _labels(names: str | Sequence[str] | None, n: int) -> list[str]:
    if names is None:
        return [f"g{i + 1}" for i in range(n)]
    labels = [names] if isinstance(names, str) else list(names)
    if len(labels) != n:
        raise SpecError(f"g gives {n} value(s), names has {len(labels)}")
    return labels


def _by_name(cov: pd.DataFrame, estimates: pd.Series) -> pd.DataFrame:
    for axis in (cov.index, cov.columns):
        only = set(axis) ^ set(estimates.index)
        if only:
            raise SpecError(
                f"estimates and cov do not have the same names: {sorted(map(str, only))}"
            )
    return cov.loc[list(estimates.index), list(estimates.index)]
