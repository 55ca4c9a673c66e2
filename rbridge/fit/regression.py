"""A fitted model as statsmodels' users know one: fixed effects, criteria, rows, predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from ..core.engine.contractions import contract
from ..core.parameters import theta
from ..core.residuals import residuals
from ..core.snapshot import FitSnapshot
from ..frame.incoming import FrameLike, as_frame
from ..model.spec import ModelSpec
from ..options import check_share, one_of
from ..r.nlme import Fitted
from ..show.cells import Part
from ..show.report import Report, Reported
from .live import in_r
from .predict import predict_new
from .vcov import square


class FittedModel:
    """What every fitted model has; :class:`~rbridge.fit.components.Fit` adds the components."""

    def __init__(
        self, snapshot: FitSnapshot, fitted: Fitted | None = None, index: Any = None
    ) -> None:
        self.snapshot = snapshot
        self._fitted = fitted
        labels = pd.RangeIndex(int(snapshot.rows.max()) + 1) if index is None else index
        self._index = labels  # of the user's frame; from a file, positions in it

    @property
    def row_labels(self) -> pd.Index | None:
        """Index of the user's frame; None where the result came from a file, which has none."""
        plain = isinstance(self._index, pd.RangeIndex) and self._fitted is None
        return None if plain else self._index

    def in_r(self, what: str) -> Fitted:
        """The fit in R, which ``what`` needs; DataError where there is none."""
        return in_r(self._fitted, what)

    def __getstate__(self) -> dict[str, Any]:
        # A fit in R cannot travel to another process; the rest can.
        return {"snapshot": self.snapshot, "_fitted": None, "_index": self._index}

    # --- fixed effects -----------------------------------------------------------------------

    def _by_coef(self, values: Any, name: str) -> pd.Series:
        return pd.Series(np.array(values), index=list(self.snapshot.coef_names), name=name)

    @property
    def params(self) -> pd.Series:
        """Fixed effects."""
        return self._by_coef(self.snapshot.beta, "estimate")

    @property
    def bse(self) -> pd.Series:
        """Standard errors of the fixed effects, as R's ``summary``.

        Under ML those of an ``lme`` are √(n/(n − p)) times those of ``vcov``, a fixed sigma
        included, for which there is no reason: ``cov_params(adjust_sigma=False)`` has them.
        """
        return self._by_coef(self.snapshot.std_error, "se")

    @property
    def tvalues(self) -> pd.Series:
        """:attr:`params` over :attr:`bse`."""
        return (self.params / self.bse).rename("t")

    @property
    def df_resid(self) -> pd.Series:
        """Denominator degrees of freedom of each fixed effect, as nlme counts them."""
        return self._by_coef(self.snapshot.df, "df")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided, from t with :attr:`df_resid`."""
        return self._by_coef(2 * special.stdtr(self.df_resid, -self.tvalues.abs()), "p")

    def cov_params(self, *, adjust_sigma: bool = True) -> pd.DataFrame:
        """Covariance of the fixed effects.

        Parameters
        ----------
        adjust_sigma : bool
            As in R's ``summary`` (and :attr:`bse`): ML's σ² with n − p in place of n. False
            gives R's ``vcov(fit)``. No difference under REML.
        """
        vcov = self.snapshot.vcov
        factor = self.snapshot.std_error[0] ** 2 / vcov[0, 0] if adjust_sigma else 1.0
        return square(vcov * factor, list(self.snapshot.coef_names))

    def conf_int(self, level: float = 0.95, *, alpha: float | None = None) -> pd.DataFrame:
        """t intervals of the fixed effects from :attr:`bse` and :attr:`df_resid`.

        ``alpha`` is statsmodels' name for 1 − ``level``. Under ML, nlme's own
        ``intervals(fit, which="fixed")`` leaves out summary's σ adjustment:
        :meth:`intervals` with ``which="fixed"`` reproduces it.
        """
        return self.t_interval(self.bse, 1 - alpha if alpha is not None else level)

    def t_interval(self, se: Any, level: float) -> pd.DataFrame:
        """Estimates of the fixed effects ± t with :attr:`df_resid` times ``se``."""
        check_share(level)
        reach = special.stdtrit(self.df_resid, (1 + level) / 2) * np.asarray(se)
        return pd.DataFrame({"lower": self.params - reach, "upper": self.params + reach})

    # --- the fit -----------------------------------------------------------------------------

    @property
    def spec(self) -> ModelSpec:
        """The model as it was asked for."""
        return ModelSpec.from_dict(self.snapshot.spec)

    @property
    def provenance(self) -> dict[str, str]:
        """Versions of everything that took part in the fit."""
        return dict(self.snapshot.provenance)

    @property
    def engine(self) -> str:
        """Who found the optimum: ``nlme``, nlme ``pinned`` at the one found here, or ``native``."""
        return self.snapshot.provenance.get("engine", "nlme")

    @property
    def converged(self) -> bool:
        """Whether the search says that it found the optimum."""
        return self.snapshot.converged

    @property
    def warnings_(self) -> tuple[str, ...]:
        """R's warnings during the fit."""
        return self.snapshot.warnings

    @property
    def llf(self) -> float:
        """Log-likelihood (restricted, for REML), as R's ``logLik``; exact where sigma is fixed.

        There ``logLik`` of an ``lme`` leaves terms out (about −N log σ), so that ``AIC``, ``BIC``
        and ``anova`` of R are wrong; ``fit.snapshot.log_lik`` keeps R's number.
        """
        if not self.snapshot.fixed_sigma:
            return self.snapshot.log_lik
        return contract(self.snapshot, derivatives=False).log_likelihood

    @property
    def df_model(self) -> int:
        """Number of estimated parameters, fixed effects and variance components.

        As R's ``logLik`` counts them: a sigma that is held fixed is none.
        """
        return len(self.snapshot.beta) + len(theta(self.snapshot).values)

    @property
    def aic(self) -> float:
        """Akaike's criterion, as R's ``AIC``: 2k − 2ℓ with k from :attr:`df_model`."""
        return 2 * self.df_model - 2 * self.llf

    @property
    def bic(self) -> float:
        """As R's ``BIC``: under REML with n − p for the number of observations."""
        restricted = self.snapshot.method == "REML"
        n = self.nobs - (len(self.snapshot.beta) if restricted else 0)
        return float(self.df_model * np.log(n) - 2 * self.llf)

    @property
    def nobs(self) -> int:
        """Rows that the model was fitted to."""
        return self.snapshot.n

    @property
    def sigma(self) -> float:
        """Within-group standard deviation."""
        return self.snapshot.sigma

    @property
    def scale(self) -> float:
        """Within-group variance σ²."""
        return self.snapshot.sigma**2

    @property
    def random_effects(self) -> RandomEffects:
        """Predicted random effects by grouping level, outermost first: groups × effects."""
        labels = group_labels(self.snapshot)
        return RandomEffects(
            (level.group, pd.DataFrame(level.b, index=names, columns=list(level.names)))
            for level, names in zip(self.snapshot.levels, labels)
        )

    def by_row(self, values: Any, name: str) -> pd.Series:
        """Values in snapshot order as a Series in the order of the user's frame."""
        rows = self.snapshot.rows
        order = np.argsort(rows)
        return pd.Series(np.array(values)[order], index=self._index[rows[order]], name=name)

    def level_number(self, level: int | str | None) -> int:
        """Number of a level given by its number or its group; the innermost by default."""
        groups = [random.group for random in self.snapshot.levels]
        if level is None:
            return len(groups)
        if level in groups:
            return groups.index(str(level)) + 1
        known = [f"{i} ({group})" for i, group in enumerate(["population", *groups])]
        return one_of(level, range(len(groups) + 1), "level", shown=known)

    def fitted(self, level: int | str | None = None) -> pd.Series:
        """Fitted values at a level: 0 for the population, by default the innermost."""
        return self.by_row(self.snapshot.fitted[:, self.level_number(level)], "fitted")

    @property
    def fittedvalues(self) -> pd.Series:
        """Fitted values at the innermost level, indexed as the rows of the data."""
        return self.fitted()

    @property
    def resid(self) -> pd.Series:
        """Response residuals at the innermost level, indexed as the rows of the data."""
        return self.by_row(self.snapshot.y - self.snapshot.fitted[:, -1], "resid")

    def residuals(self, type: str = "response", level: int | str | None = None) -> pd.Series:
        """Residuals, indexed as the rows of the data.

        Parameters
        ----------
        type : {"response", "pearson", "normalized"}
            y − ŷ; divided by its standard deviation σ·s_i; freed of the within-group correlation
            too, each row of those of its group that stand above it. As nlme's
            ``resid(fit, level, type)`` where the rows of a group stand together; where they do
            not, nlme's normalized residuals are wrong and these are right.
        level : int or str, optional
            0 for the population, 1 (or its group's name) for the outermost groups …; by default
            the innermost.
        """
        values = residuals(self.snapshot, type, self.level_number(level))  # type: ignore[arg-type]
        return self.by_row(values, "resid")

    def predict(
        self,
        new_data: FrameLike | None = None,
        level: int | str | None = None,
        *,
        unseen: str = "raise",
    ) -> pd.Series:
        """Predictions at a level.

        Parameters
        ----------
        new_data : DataFrame, optional
            By default the data of the fit.
        level : int or str, optional
            0 for the population, 1 (or its group's name) for the outermost groups …; by default
            the innermost.
        unseen : {"raise", "population"}
            What to do with groups that the fit has not seen: refuse, or predict without the
            random effects of that level, with a warning.

        Returns
        -------
        Series
            Indexed as ``new_data``.

        Notes
        -----
        Bases such as ``poly`` and ``ns`` keep the fit's knots in the random effects too, where
        nlme's own ``predict`` computes them afresh from the new rows.
        """
        chosen = self.level_number(level)
        one_of(unseen, ("raise", "population"), "unseen", quote=True)
        if new_data is None:
            return self.fitted(chosen)
        return predict_new(self.in_r("new data"), as_frame(new_data), chosen, unseen)


class RandomEffects(dict[str, pd.DataFrame], Reported):
    """Predicted random effects (BLUPs) by grouping level: groups × effects."""

    def _report(self) -> Report:
        parts: list[tuple[str, Part]] = [
            (f"{len(table)} groups of {group}", table) for group, table in self.items()
        ]
        return Report("Predicted random effects", parts or [("", "The model has none.")])

    def __repr__(self) -> str:
        parts = [f"{g} ({len(t)} groups: {', '.join(t.columns)})" for g, t in self.items()]
        return f"<RandomEffects of {'; '.join(parts) or 'no level'}; a frame by each name>"


def group_labels(snapshot: FitSnapshot) -> list[list[str]]:
    """The groups of each level by name: nlme's, but that a group used twice is named once.

    nlme calls the groups of its second use ``s1/s1``, and what lies inside it ``s1/s1/a``.
    """
    asked = [level["group"] for level in snapshot.spec.get("random", ())]
    found = [list(level.labels) for level in snapshot.levels[:1]]
    for k, (outer, level) in enumerate(zip(snapshot.levels, snapshot.levels[1:])):
        twice = asked[k : k + 2] == 2 * asked[k : k + 1]
        holders = outer.codes[np.unique(level.codes, return_index=True)[1]]
        labels = []
        for label, holder in zip(level.labels, holders):
            own = label.removeprefix(outer.labels[holder])  # "/a" of "s1/a"
            labels.append(found[k][holder] + ("" if twice else own) if own != label else label)
        found.append(labels)
    return found


def in_words(snapshot: FitSnapshot) -> str:
    """The model for a caption: its formula, whose random effects it has, and the method."""
    groups = ", ".join(level.group for level in snapshot.levels)
    random = f"random effects of {groups}" if groups else ""
    return ", ".join(filter(None, (snapshot.spec.get("fixed"), random, snapshot.method)))
