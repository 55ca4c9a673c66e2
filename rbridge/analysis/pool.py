"""Multiple imputation: fits of one model to several completed data sets, pooled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..core.fixed_effects.pooling import PooledInference, pooled_inference
from ..errors import DataError, SpecError
from ..fit.components import Fit
from ..show.report import Report, Reported
from .fixed_effects import HypothesisTest, coefficient_table, inference_of, tested
from .hypotheses import HypothesisLike
from .means import MarginalMeans, means_of, of_means


@dataclass(frozen=True)
class Pooled(Reported):
    """Fits of one model to m completed data sets, by Rubin's rules.

    The tables are those of one fit, and take the same options: degrees of freedom are Barnard and
    Rubin's, whose complete-data degrees of freedom are Kenward–Roger's (or what ``ddf`` asks for).

    Attributes
    ----------
    fits : tuple of Fit
    """

    fits: tuple[Fit, ...]

    def _asked(self, options: Mapping[str, Any]) -> PooledInference:
        return pooled_inference([inference_of(fit, **options) for fit in self.fits])

    @property
    def _names(self) -> tuple[str, ...]:
        return self.fits[0].snapshot.coef_names

    def fixed_effects(self, level: float = 0.95, **options: Any) -> pd.DataFrame:
        """By coefficient ``estimate se df t p lower upper`` and ``missing``.

        ``missing`` is the share of the variance that is due to what is missing.
        """
        asked = self._asked(options)
        frame = coefficient_table(asked, self._names, level)
        frame["missing"] = asked.between.diagonal() / asked.vcov.diagonal()
        return frame

    def test(self, hypothesis: HypothesisLike, **options: Any) -> HypothesisTest:
        """F test (D₁, with Reiter's degrees of freedom) of a hypothesis, as for one fit."""
        return tested(self._asked(options), hypothesis, self._names)

    def means(
        self,
        factors: str | Sequence[str],
        by: str | Sequence[str] = (),
        *,
        at: Mapping[str, Any] | None = None,
        weights: str = "equal",
        level: float = 0.95,
        **options: Any,
    ) -> MarginalMeans:
        """Marginal means, as for one fit; covariates stand at their means in the first."""
        asked = pooled_inference([of_means(fit, **options) for fit in self.fits])
        return means_of(self.fits[0], asked, factors, by, at=at, weights=weights, level=level)

    def _report(self) -> Report:
        table = self.fixed_effects()
        title = f"{len(self.fits)} fits of {self.fits[0].spec.fixed}, pooled"
        return Report(title, [(table.attrs["caption"], table)])

    def __repr__(self) -> str:
        return f"<Pooled: {len(self.fits)} fits of {self.fits[0].spec.fixed}>"


def pool(fits: Sequence[Fit]) -> Pooled:
    """Pool fits of one model to several completed (multiply imputed) data sets.

    Parameters
    ----------
    fits : sequence of LmeResults
        Two or more.

    Returns
    -------
    Pooled

    Raises
    ------
    SpecError
        Fewer than two fits, or fits of different models.
    DataError
        Fits with different coefficients.

    References
    ----------
    Rubin (1987), Multiple Imputation for Nonresponse in Surveys; Barnard and Rubin (1999),
    Biometrika 86, 948–955; Reiter (2007), Biometrika 94, 502–508.
    """
    if isinstance(fits, Fit) or not isinstance(fits, Iterable):
        raise SpecError("pool takes a list of two or more fits")
    parts = tuple(fits)
    for number, fit in enumerate(parts, start=1):
        if not isinstance(fit, Fit):
            raise SpecError(f"pool takes fits, and number {number} is a {type(fit).__name__}")
    if len(parts) < 2:
        raise SpecError(f"pool takes two or more fits, not {len(parts)}")
    first = parts[0].snapshot
    for number, fit in enumerate(parts[1:], start=2):
        if dict(fit.snapshot.spec) != dict(first.spec):
            raise SpecError(f"fit {number} is of another model than the first")
        if fit.snapshot.coef_names != first.coef_names:
            only = sorted(set(fit.snapshot.coef_names) ^ set(first.coef_names))
            raise DataError(
                f"fit {number} has other coefficients than the first: {', '.join(only)}"
            )
    return Pooled(parts)
