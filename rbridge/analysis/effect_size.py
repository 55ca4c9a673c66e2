"""Effect sizes of mixed models: a difference of means over the root of a sum of components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..core.arrays import Array
from ..core.fixed_effects.effect_size import StandardisedDifference, standardised_difference
from ..errors import SpecError
from ..fit.components import Fit
from ..options import check_one_each, did_you_mean, one_of
from ..show.report import Report, Reported

Weights = Union[Mapping[str, float], pd.Series, ArrayLike]


@dataclass(frozen=True)
class EffectSize(Reported):
    """Hedges' g of a mixed model; lmeInfo's ``g_mlm``.

    Attributes
    ----------
    estimate : StandardisedDifference
        The numbers: ``g se df delta kappa``.
    information : str
        Whose inverse is the covariance of the components.
    """

    estimate: StandardisedDifference
    information: str

    @property
    def g(self) -> float:
        """The effect size, free of the small-sample bias."""
        return self.estimate.g

    @property
    def se(self) -> float:
        """Standard error of :attr:`g`."""
        return self.estimate.se

    @property
    def df(self) -> float:
        """Satterthwaite's degrees of freedom of the denominator."""
        return self.estimate.df

    def conf_int(self, level: float = 0.95, method: str = "symmetric") -> tuple[float, float]:
        """Lower and upper limit; ``symmetric`` or by the ``noncentral`` t distribution."""
        return self.estimate.limits(level, method)  # type: ignore[arg-type]

    def _report(self) -> Report:
        rows = {
            method: [self.g, self.se, self.df, *self.conf_int(method=method)]
            for method in ("symmetric", "noncentral")
        }
        columns = ["g", "se", "df", "lower", "upper"]
        table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
        heading = f"95% limits by the method named; {self.information} information"
        return Report("Standardised mean difference", [(heading, table)])


def effect_size(
    fit: Fit,
    p: Weights,
    r: Weights,
    denominator: Fit | None = None,
    information: str = "expected",
    *,
    separate_variances: bool = False,
) -> EffectSize:
    """Standardised mean difference g = J(ν) p'β̂/√(r'θ̂).

    Parameters
    ----------
    fit : Fit
    p : array or mapping
        Weights of the coefficients, in order or by name; those left out are 0.
    r : array or mapping
        Weights of the variance components (``fit.varcomp``), likewise.
    denominator : Fit, optional
        Fit whose components are the denominator; by default ``fit`` itself.
    information : {"expected", "observed", "average"}
        Whose inverse is the covariance of the components.
    separate_variances : bool
        With varIdent: ``r`` is over the residual variance of each stratum in place of
        ``var_params`` and ``sigma_sq``, as :meth:`Fit.varcomp_vcov` has them.

    Returns
    -------
    EffectSize

    Raises
    ------
    SpecError
        An unknown name, weights of the wrong length, a denominator that is not positive.
    InformationError
        The components are not identified.

    References
    ----------
    Pustejovsky, Hedges and Shadish (2014), Journal of Educational and Behavioral Statistics 39,
    368–393.
    """
    one_of(information, ("expected", "observed", "average"), "information", quote=True)
    scale = fit if denominator is None else denominator
    if not isinstance(scale, Fit):
        raise SpecError(f"denominator must be a fit, not a {type(scale).__name__}")
    components = scale.varcomp_vcov(information, separate_variances=separate_variances)
    snapshot = fit.snapshot
    found = standardised_difference(
        snapshot.beta,
        snapshot.vcov,
        components.estimates.to_numpy(),
        components.cov.to_numpy(),
        _weights(p, "p", snapshot.coef_names),
        _weights(r, "r", list(components.estimates.index)),
    )
    return EffectSize(found, information)


def _weights(given: Any, name: str, labels: Sequence[str]) -> Array:
    if isinstance(given, (Mapping, pd.Series)):
        for label in given.keys():
            if label not in labels:
                hint = did_you_mean(str(label), labels) or f" (there are {_list(labels)})"
                raise SpecError(f"{name}: there is no {label!r}{hint}")
        check_one_each(labels, given.keys())
        given = [given.get(label, 0.0) for label in labels]
    try:
        weights: Array = np.atleast_1d(np.asarray(given, dtype=float))
    except (TypeError, ValueError):
        raise SpecError(f"{name} takes a number for each of {_list(labels)}") from None
    if weights.shape != (len(labels),):
        raise SpecError(f"{name} has {weights.size} weights for {len(labels)}: {_list(labels)}")
    return weights


def _list(labels: Sequence[str]) -> str:
    return ", ".join(labels)
