"""What the user holds after a fit: the numbers of the fit, and every analysis as a method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from .analysis.derive import What, derive
from .analysis.diagnostics import diagnostics
from .analysis.intervals import forest, interval_table, nlme_intervals
from .analysis.profile import Profile, profile
from .analysis.summary import summary
from .analysis.tidy import tidy
from .check.crosscheck import Crosscheck, crosscheck
from .check.diagnose import Diagnosis, diagnose
from .fit.components import Fit
from .fit.vcov import VarcompVcov
from .many.bootstrap import Bootstrap, bootstrap
from .many.parallel import Progress
from .show.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class LmeResults(Fit):
    """A fitted ``lme`` or ``gls`` model, with statsmodels' words for what its users know.

    Everything but :attr:`lmeinfo` and :meth:`predict` on new data works without R, from
    :attr:`snapshot` alone.
    """

    def intervals(
        self,
        level: float = 0.95,
        *,
        which: str = "var-cov",
        methods: Sequence[str] | None = None,
        vcov: str = "expected",
        bootstrap: Any = None,
    ) -> pd.DataFrame:
        """nlme's ``intervals(fit, level, which)``, reproduced; with ``methods``, several at once.

        nlme's intervals of variance components carry the error of its finite differences: the
        order of the rows or another BLAS moves them by some per cent as a rule, in places by a
        factor. An ``RWarning`` says where they are off; ``methods=["log", "profile"]`` are not.

        Parameters
        ----------
        level : float
        which : {"var-cov", "fixed", "all"}
        methods, vcov, bootstrap
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
            return interval_table(self, methods, level, vcov=vcov, bootstrap=bootstrap)
        return nlme_intervals(self, level, which)

    def profile(self, *what: str, level: float = 0.95) -> Profile:
        """Profile likelihood of components or expressions."""
        return profile(self, *what, level=level)

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

    def bootstrap(
        self,
        n: int = 1000,
        *,
        n_jobs: int | None = None,
        seed: int | None = None,
        progress: Progress = True,
    ) -> Bootstrap:
        """Parametric bootstrap: responses drawn from the fitted model, each fitted by nlme.

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
            A bar on a terminal, or a function of the numbers done, in all, and failed.

        Returns
        -------
        Bootstrap
            After Ctrl-C with the replicates that were done.

        Raises
        ------
        DataError
            The result was loaded from a file: refits need the data.

        Notes
        -----
        Draws Xβ̂ + Σ Z b + ε with the fit's corStruct and varFunc, on the scale of the response
        (of log(y) if that was fitted). Weights by ``fitted(.)`` stay those of nlme's last
        iterate; a response that also stands elsewhere in the model keeps its values there. A
        refit that fails is tried once more with ``opt="optim"``; the result counts both.
        """
        return bootstrap(self, n, n_jobs=n_jobs, seed=seed, progress=progress)

    def plot_varcomp(
        self,
        methods: Sequence[str] | None = None,
        level: float = 0.95,
        bootstrap: Bootstrap | None = None,
    ) -> Figure:
        """Forest of the components by several methods."""
        from .show.plots import varcomp_forest

        title = f"{level:.0%} intervals of the variance components: {self.snapshot.spec['fixed']}"
        return varcomp_forest(forest(self, methods, level, bootstrap), title)

    def plot_diagnostics(self) -> Figure:
        """Residuals against fitted values, QQ plots, autocorrelation of normalized residuals."""
        return diagnostics(self)

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
