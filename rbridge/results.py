"""What the user holds after a fit: the numbers of the fit, and every analysis as a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from .analysis.acf import Acf, acf
from .analysis.anova import anova
from .analysis.derive import What, derive
from .analysis.diagnostics import diagnostics
from .analysis.effect_size import EffectSize, Weights, effect_size
from .analysis.fixed_effects import (
    HypothesisTest,
    fixed_effects,
    fixed_effects_vcov,
    hypothesis_test,
    joint_cov,
)
from .analysis.given import given
from .analysis.groups import coef, cov_marginal, ranef, ranef_intervals
from .analysis.hypotheses import HypothesisLike
from .analysis.intervals import forest, interval_table, nlme_intervals
from .analysis.means import MarginalMeans, means
from .analysis.pictures import (
    fixed_effects_picture,
    predictions_picture,
    qq_picture,
    random_effects_picture,
    random_pairs_picture,
    residuals_picture,
)
from .analysis.predictions import predictions
from .analysis.profile import Profile, profile
from .analysis.simulated import simulate
from .analysis.summary import summary
from .analysis.tidy import tidy
from .analysis.update import updated
from .analysis.variogram import Variogram, variogram
from .check.crosscheck import Crosscheck, crosscheck
from .check.diagnose import Diagnosis, diagnose
from .core.snapshot import FitSnapshot
from .errors import SpecError
from .fit import engine as engines
from .fit.components import Fit
from .fit.regression import in_words
from .fit.vcov import VarcompVcov
from .frame.incoming import FrameLike, as_frame
from .many.bootstrap import Bootstrap, bootstrap
from .many.progress import Progress
from .r.nlme import Fitted
from .show.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class LmeResults(Fit):
    """A fitted ``lme`` or ``gls`` model, with statsmodels' words for what its users know.

    Everything but :attr:`lmeinfo` and :meth:`predict` on new data works without R, from
    :attr:`snapshot` alone.
    """

    _data: pd.DataFrame | None = None  # the user's own, for what needs other columns of it

    def __init__(
        self,
        snapshot: FitSnapshot,
        fitted: Fitted | None = None,
        index: Any = None,
        data: pd.DataFrame | None = None,
    ) -> None:
        super().__init__(snapshot, fitted, index)
        self._data = data

    def intervals(
        self,
        level: float = 0.95,
        *,
        which: str = "var-cov",
        methods: Sequence[str] | None = None,
        vcov: str = "expected",
        bootstrap: Any = None,
        n_jobs: int | None = None,
        progress: Progress = True,
    ) -> pd.DataFrame:
        """nlme's ``intervals(fit, level, which)``, reproduced; with ``methods``, several at once.

        nlme's intervals of variance components carry the error of its finite differences: the
        order of the rows or another BLAS moves them by some per cent as a rule, in places by a
        factor. An ``RWarning`` says where they are off; ``methods=["log", "profile"]`` are not.

        Parameters
        ----------
        level : float
        which : {"var-cov", "fixed", "all"}
        methods, vcov, bootstrap, n_jobs, progress
            Of the variance components by several methods side by side: see
            :func:`rbridge.analysis.intervals.interval_table`, whose frame this returns.

        Returns
        -------
        DataFrame
            Columns ``lower``, ``est.``, ``upper``; rows by part (``fixed``,
            ``reStruct.<group>``, ``corStruct``, ``varStruct``, ``sigma``) and nlme's row name.

        Raises
        ------
        ApVarError
            nlme gave no apVar, so nlme has no such intervals either.
        """
        if methods is not None:
            run: dict[str, Any] = {"n_jobs": n_jobs, "progress": progress}
            return interval_table(self, methods, level, vcov=vcov, bootstrap=bootstrap, **run)
        return nlme_intervals(self, level, which)

    def fixed_effects(
        self,
        ddf: str | None = None,
        *,
        information: str | None = None,
        kr: str = "linear",
        vcov: str = "model",
        cluster: Any = None,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Fixed effects with the standard errors, df and intervals that small samples need.

        See :func:`rbridge.analysis.fixed_effects.fixed_effects` for the arguments; by default
        Kenward and Roger's. ``attrs["caption"]`` of the frame says the method in words.
        """
        options = {"information": information, "kr": kr, "vcov": vcov, "cluster": cluster}
        return fixed_effects(self, ddf, level=level, **options)

    def cov_params(
        self, kind: str | None = None, *, adjust_sigma: bool = True, **options: Any
    ) -> pd.DataFrame:
        """Covariance of the fixed effects.

        Parameters
        ----------
        kind : {"model", "kenward-roger", "CR0", "CR2", "CR3"}, optional
            (X'V⁻¹X)⁻¹ computed here, Kenward and Roger's, or a cluster-robust one; ``options`` as
            for :meth:`fixed_effects`. By default R's own.
        adjust_sigma : bool
            Of R's own: as in R's ``summary`` (and :attr:`bse`), ML's σ² with n − p in place of n.
            False gives R's ``vcov(fit)``. No difference under REML.
        """
        if kind is None:
            if options:
                raise SpecError(f"{', '.join(options)}: only with a kind, cov_params('CR2', …)")
            return super().cov_params(adjust_sigma=adjust_sigma)
        return fixed_effects_vcov(self, kind, **options)

    def joint_cov(self, information: str = "expected") -> pd.DataFrame:
        """Covariance of the fixed effects and the variance components together, (p + r, p + r).

        ``expected`` information makes them uncorrelated; ``observed`` does not.
        """
        return joint_cov(self, information)

    def test(self, hypothesis: HypothesisLike, **options: Any) -> HypothesisTest:
        """F test of a hypothesis: ``fit.test("age = 0, age:sex1 = 0")``, a matrix, a frame.

        ``options``: ``ddf``, ``information``, ``kr``, ``vcov``, ``cluster``, as for
        :meth:`fixed_effects`.
        """
        return hypothesis_test(self, hypothesis, **options)

    def anova(self, type: str = "III", ddf: str | None = None, **options: Any) -> pd.DataFrame:
        """F tests of the terms, type ``"I"``, ``"II"``, ``"III"`` or nlme's ``"marginal"``.

        See :func:`rbridge.analysis.anova.anova`. ``fit.anova("I", ddf="containment")`` is R's
        ``anova(fit)``.
        """
        return anova(self, type, ddf, **options)

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
        """Marginal means: ``fit.means("arm", by="visit").contrasts()``.

        See :func:`rbridge.analysis.means.means`; ``options`` as for :meth:`test`.
        """
        return means(self, factors, by, at=at, weights=weights, level=level, **options)

    def effect_size(
        self,
        p: Weights,
        r: Weights,
        denominator: Fit | None = None,
        information: str = "expected",
        *,
        separate_variances: bool = False,
    ) -> EffectSize:
        """Standardised mean difference p'β/√(r'θ), lmeInfo's ``g_mlm``.

        See :func:`rbridge.analysis.effect_size.effect_size`; ``p`` and ``r`` in order or by name.
        """
        return effect_size(
            self, p, r, denominator, information, separate_variances=separate_variances
        )

    def predict(
        self,
        new_data: FrameLike | None = None,
        level: int | str | Sequence[int | str] | None = None,
        *,
        unseen: str = "raise",
        interval: str | None = None,
        coverage: float = 0.95,
        conditional: bool = False,
        **options: Any,
    ) -> pd.Series | pd.DataFrame:
        """Predictions at a level: a Series, or with ``interval`` a frame with errors and limits.

        Parameters
        ----------
        new_data : DataFrame, optional
            By default the data of the fit.
        level : int, str or list of these, optional
            0 for the population, 1 (or its group's name) for the outermost groups …; by default
            the innermost. A list gives a frame with a column a level.
        unseen : {"raise", "population"}
            What to do with groups that the fit has not seen: refuse, or predict without the
            random effects of that level, with a warning.
        interval : {"confidence", "prediction"}, optional
            See :func:`rbridge.analysis.predictions.predictions`, also for ``coverage``,
            ``conditional`` and the options.

        Notes
        -----
        Bases such as ``poly`` and ``ns`` keep the fit's knots in the random effects too, where
        nlme's own ``predict`` computes them afresh from the new rows.
        """
        new_data = None if new_data is None else as_frame(new_data)
        if isinstance(level, Sequence) and not isinstance(level, str):
            if interval is not None or conditional or options:
                raise SpecError("several levels have no interval: ask for one level at a time")
            each = [super(LmeResults, self).predict(new_data, k, unseen=unseen) for k in level]
            return pd.concat(dict(zip(self.level_names(level), each)), axis=1)
        if interval is None and not conditional and not options:
            return super().predict(new_data, level, unseen=unseen)
        return predictions(
            self,
            new_data,
            level,
            interval=interval or "confidence",
            coverage=coverage,
            unseen=unseen,
            conditional=conditional,
            **options,
        )

    def level_names(self, levels: Sequence[int | str]) -> list[str]:
        """What to call levels given by number or group: ``population``, then the groups."""
        names = ["population", *(level.group for level in self.snapshot.levels)]
        return [names[self.level_number(level)] for level in levels]

    def profile(
        self,
        *what: str,
        level: float = 0.95,
        n_jobs: int | None = None,
        progress: Progress = True,
    ) -> Profile:
        """Profile likelihood of components or expressions.

        ``n_jobs`` and ``progress`` as for :meth:`bootstrap`: a bar where it takes longer than a
        second, a quantity a task.
        """
        return profile(self, *what, level=level, n_jobs=n_jobs, progress=progress)

    def derive(
        self, *what: What, method: str = "expected", names: Sequence[str] | None = None
    ) -> VarcompVcov:
        """Functions of the components with their covariance.

        ``fit.derive("icc = var(subject) / total")``, several lines, or a function of the Series
        of components.
        """
        return derive(self, *what, method=method, names=names)

    def tidy(self, **options: Any) -> pd.DataFrame:
        """One row a parameter, with broom.mixed's columns: :func:`rbridge.analysis.tidy.tidy`."""
        return tidy(self, **options)

    def simulate(self, n: int = 1, seed: int | None = None) -> pd.DataFrame:
        """n responses drawn from the fitted model: :func:`rbridge.analysis.simulated.simulate`."""
        return simulate(self, n, seed)

    def bootstrap(
        self,
        n: int = 1000,
        *,
        n_jobs: int | None = None,
        seed: int | None = None,
        progress: Progress = True,
        engine: str | None = None,
        witness: int = 0,
    ) -> Bootstrap:
        """Parametric bootstrap: responses drawn from the fitted model, each fitted again.

        Parameters
        ----------
        n : int
            Number of replicates.
        n_jobs : int or None
            As in joblib; None is one process, or what ``joblib.parallel_backend`` says (Dask …).
        seed : int, optional
            The same seed gives the same replicates whatever ``n_jobs``; by default a fresh one,
            kept in the result.
        progress : bool or callable
            A bar on a terminal or in a notebook, once it takes longer than a second, or a function
            of the numbers done, in all, and failed.
        engine : {"nlme", "pinned", "native"}, optional
            Who fits the replicates (docs/engines.md); by default who fitted the model. The same
            seed draws the same responses for each. ``native`` needs no R.
        witness : int
            With ``native``: how many of the replicates nlme fits too; the result has how far the
            two are apart.

        Returns
        -------
        Bootstrap
            After Ctrl-C with the replicates that were done.

        Raises
        ------
        DataError
            The result was loaded from a file: refits by nlme need the data.

        Notes
        -----
        Draws Xβ̂ + Σ Z b + ε with the fit's corStruct and varFunc, on the scale of the response
        (of log(y) if that was fitted). Weights by ``fitted(.)`` stay those of nlme's last
        iterate; a response that also stands elsewhere in the model keeps its values there. A
        refit by nlme that fails is tried once more with ``opt="optim"``; the result counts both.
        """
        options: dict[str, Any] = {"n_jobs": n_jobs, "seed": seed, "progress": progress}
        return bootstrap(self, n, engine=engine, witness=witness, **options)

    def update(
        self,
        fixed: str | None = None,
        *,
        data: FrameLike | None = None,
        engine: str | None = None,
        **changes: Any,
    ) -> LmeResults:
        """The model fitted again with other parts, R's ``update``.

        Parameters
        ----------
        fixed : str, optional
            ``". ~ . + x"``, ``"log(.) ~ . - x:z"``: the dots are the sides of the fitted formula,
            as in R's ``update.formula``.
        data : DataFrame, optional
            By default the frame of the fit, as it is now: columns that the fitted model has must
            not have changed, others may be new.
        engine : {"nlme", "pinned", "native"}, optional
            By default the fit's own.
        **changes
            ``random``, ``correlation``, ``weights``, ``method``, ``contrasts``, ``control``,
            ``na_action``, as for :func:`rbridge.lme`; None takes a structure away. ``random``
            without groups (``rb.pdDiag("~ age")``) keeps those of the model.

        Returns
        -------
        LmeResults

        Raises
        ------
        DataError
            Without ``data``: the frame has changed since the fit, or the result came without it.
        SpecError, FormulaError, StructureError, FitError
            As :func:`rbridge.lme`.
        """
        spec = updated(self.spec, fixed, changes)
        if data is None:
            frame = given(self, self._data, "update without data=")
        else:
            frame = as_frame(data)
        fitted = engines.fit(spec, frame, engine or self.engine)
        return LmeResults(fitted.snapshot, fitted, frame.index, frame)

    def coef(self, level: int | str | None = None) -> pd.DataFrame:
        """Coefficients of each group, fixed plus random: :func:`rbridge.analysis.groups.coef`."""
        return coef(self, level)

    def ranef(self, level: int | str | None = None, augment: bool = False) -> pd.DataFrame:
        """Random effects of one level, with ``augment`` beside the groups' covariates.

        See :func:`rbridge.analysis.groups.ranef`.
        """
        return ranef(self, level, augment, data=self._data)

    def ranef_intervals(
        self, level: int | str | None = None, coverage: float = 0.95
    ) -> dict[str, pd.DataFrame]:
        """Random effects of one level with prediction intervals, by effect.

        See :func:`rbridge.analysis.groups.ranef_intervals`.
        """
        return ranef_intervals(self, level, coverage)

    def cov_marginal(self, group: Any = None, *, conditional: bool = False) -> pd.DataFrame:
        """Covariance of the responses of one group's rows, nlme's ``getVarCov``.

        See :func:`rbridge.analysis.groups.cov_marginal`.
        """
        return cov_marginal(self, group, conditional=conditional)

    def acf(
        self, max_lag: int | None = None, residuals: str = "pearson", *, form: str | None = None
    ) -> Acf:
        """Autocorrelation of the residuals by lag, nlme's ``ACF``.

        See :func:`rbridge.analysis.acf.acf`. Returns a DataFrame ``lag acf n`` with a ``.plot()``.
        """
        return acf(self, max_lag, residuals, form=form, data=self._data)

    def variogram(
        self,
        form: str | None = None,
        residuals: str = "pearson",
        max_dist: float | None = None,
        robust: bool = False,
        *,
        metric: str | None = None,
    ) -> Variogram:
        """Semivariances of the residuals by distance, nlme's ``Variogram``.

        See :func:`rbridge.analysis.variogram.variogram`. Returns a DataFrame
        ``dist variogram n_pairs`` with a ``.plot()``.
        """
        options = {"metric": metric, "data": self._data}
        return variogram(self, form, residuals, max_dist, robust, **options)

    def plot_random_effects(
        self, level: int | str | None = None, coverage: float = 0.95, *, figsize: Any = None
    ) -> Figure:
        """Caterpillar: the random effects of one level with prediction intervals."""
        return random_effects_picture(self, level, coverage, figsize)

    def plot_pairs(self, level: int | str | None = None, *, figsize: Any = None) -> Figure:
        """Random effects of one level against each other, a point a group."""
        return random_pairs_picture(self, level, figsize)

    def plot_fixed_effects(
        self,
        *,
        intercept: bool = False,
        level: float = 0.95,
        ax: Any = None,
        figsize: Any = None,
        **options: Any,
    ) -> Figure:
        """Fixed effects with their intervals; ``options`` as for :meth:`fixed_effects`."""
        return fixed_effects_picture(self, intercept, level, ax, figsize, options)

    def plot_predictions(
        self,
        by: str,
        interval: str | None = None,
        *,
        groups: Sequence[Any] | None = None,
        figsize: Any = None,
    ) -> Figure:
        """Observed responses and predicted curves, a panel a group, nlme's ``augPred``.

        Parameters
        ----------
        by : str
            Numeric column, for the axis; the others are at their group's mean or most frequent
            value.
        interval : {"confidence", "prediction"}, optional
            A band of 95 %.
        groups : list, optional
            Innermost groups to show; by default all, as long as they are at most 30.
        """
        return predictions_picture(self, by, interval, groups, figsize, self._data)

    def plot_residuals(
        self, formula: str = "pearson ~ fitted", *, ax: Any = None, figsize: Any = None
    ) -> Figure:
        """Residuals by a formula: ``"pearson ~ fitted | sex"``, ``"normalized ~ age"``.

        On the left ``response``, ``pearson`` or ``normalized``; on the right ``fitted`` or a
        column of the data; behind the bar the columns of the panels.
        """
        return residuals_picture(self, formula, figsize, ax, self._data)

    def plot_varcomp(
        self,
        methods: Sequence[str] | None = None,
        level: float = 0.95,
        bootstrap: Bootstrap | None = None,
        *,
        n_jobs: int | None = None,
        progress: Progress = True,
        figsize: Any = None,
    ) -> Figure:
        """Forest of the components by several methods; ``"profile"`` is asked for by name.

        See :func:`rbridge.analysis.intervals.forest`; ``n_jobs`` and ``progress`` are of the
        profiles, as for :meth:`profile`.
        """
        from .show.components import varcomp_forest

        table = forest(self, methods, level, bootstrap, n_jobs=n_jobs, progress=progress)
        caption = f"{level:.0%} intervals of the variance components; {in_words(self.snapshot)}"
        return varcomp_forest(table, caption, figsize)

    def plot_diagnostics(self, *, figsize: Any = None) -> Figure:
        """Residuals against fitted values, QQ plots, autocorrelation of normalized residuals."""
        return diagnostics(self, figsize)

    def plot_qq(
        self, formula: str = "~ normalized", *, ax: Any = None, figsize: Any = None
    ) -> Figure:
        """Normal QQ plot by a formula: ``"~ normalized | sex"``, ``"~ ranef"``, nlme's ``qqnorm``.

        On the right ``response``, ``pearson`` or ``normalized`` residuals, or ``ranef``, a panel a
        random effect; behind the bar the columns of the panels.
        """
        return qq_picture(self, formula, figsize, ax, self._data)

    def crosscheck(self, *, lmeinfo: bool | None = None) -> Crosscheck:
        """Compare delta, observed, average, expected and lmeInfo, and explain every gap.

        Parameters
        ----------
        lmeinfo : bool, optional
            Whether to ask lmeInfo, whose time grows with the square of the rows; by default up
            to 20 000 rows.
        """
        return crosscheck(self, lmeinfo=lmeinfo)

    def diagnose(self) -> Diagnosis:
        """Boundary, identification, gradient and conditioning: findings with advice."""
        return diagnose(self)

    def summary(self) -> Report:
        """The fit as a report: prints as text, shows as HTML in a notebook."""
        return summary(self)

    def _repr_html_(self) -> str:
        return self.summary().to_html()
