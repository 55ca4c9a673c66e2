"""What the user holds after a fit: pandas on the outside, the snapshot inside."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import pandas as pd

from .core import delta, information, seed_table
from .core.intervals import nlme as core_intervals
from .core.engine.contractions import contract
from .core.engine.forms import Forms
from .core.parameters import theta
from .core.snapshot import ApVar as SnapshotApVar
from .core.snapshot import ApVarUnavailable
from .errors import RWarning, SpecError
from .fit.regression import FittedModel
from .fit.lmeinfo import LmeInfo
from .fit.vcov import METHODS, SOURCES, ApVar, VarcompVcov, square

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .many.bootstrap import Bootstrap
    from .check.crosscheck import Crosscheck
    from .analysis.derive import What
    from .check.diagnose import Diagnosis
    from .many.parallel import Progress
    from .analysis.profile import Profile
    from .show.report import Report

FIXED_SIGMA = (
    "nlme's apVar is wrong where sigma is fixed (it leaves terms of the likelihood out): "
    "use method='observed'"
)


class LmeResults(FittedModel):
    """A fitted ``lme`` or ``gls`` model, with statsmodels' words for what its users know.

    Everything but :attr:`lmeinfo` and :meth:`predict` on new data works without R, from
    :attr:`snapshot` alone.
    """

    # --- variance components -----------------------------------------------------------------

    @property
    def varcomp(self) -> pd.Series:
        """Natural-scale components, labelled as ``rownames(varcomp_vcov())`` in lmeInfo."""
        natural = theta(self.snapshot)
        return pd.Series(natural.values, index=list(natural.names), name="estimate")

    @property
    def cov_re(self) -> dict[str, pd.DataFrame]:
        """Covariance matrix of the random effects by grouping level, outermost first."""
        return {level.group: square(level.D, list(level.names)) for level in self.snapshot.levels}

    @property
    def apvar(self) -> Union[ApVar, ApVarUnavailable]:
        """nlme's approximate covariance of its parameters, or why there is none."""
        apvar = self.snapshot.apvar
        if not isinstance(apvar, SnapshotApVar):
            return apvar
        names = list(apvar.names)
        return ApVar(
            pd.Series(apvar.pars, names, name="Pars"), square(apvar.cov, names), apvar.natural
        )

    @cached_property
    def _forms(self) -> Forms:
        return contract(self.snapshot)  # one pass over the data serves every kind

    def fisher_info(self, kind: str = "expected") -> pd.DataFrame:
        """Fisher information of the variance components, computed here and exactly.

        Parameters
        ----------
        kind : {"expected", "average", "observed"}
        """
        _check_method(kind, METHODS[1:])
        result = information.information_from(self._forms, kind)  # type: ignore[arg-type]
        return square(result.matrix, list(result.names))

    def varcomp_vcov(
        self, method: str = "expected", *, separate_variances: bool = False
    ) -> VarcompVcov:
        """Sampling covariance of the variance components.

        Parameters
        ----------
        method : {"expected", "average", "observed", "delta"}
            ``delta``: from nlme's apVar, which approximates ``observed`` by finite
            differences. The others are computed here, exactly.
        separate_variances : bool
            With varIdent: the residual variance of each stratum in place of ``var_params`` and
            ``sigma_sq``.

        Raises
        ------
        ApVarError
            ``delta``, and nlme gave no apVar: the message has nlme's reason.
        InformationError
            The information matrix has no inverse: the message names the parameters.
        """
        _check_method(method, METHODS)
        natural = theta(self.snapshot)
        if method == "delta":
            cov = delta.apvar_delta(self.snapshot).cov
            if self.snapshot.fixed_sigma:
                warnings.warn(FIXED_SIGMA, RWarning, stacklevel=2)
        else:
            found = information.information_from(self._forms, method)  # type: ignore[arg-type]
            cov = found.inverse()
        estimates, names, kinds = natural.values, natural.names, natural.kinds
        if separate_variances:
            strata = information.stratum_variances(self.snapshot)
            estimates, names, kinds = strata.values, strata.names, strata.kinds
            cov = strata.jacobian @ cov @ strata.jacobian.T
        series = pd.Series(estimates, index=list(names), name="estimate")
        return VarcompVcov(series, square(cov, list(names)), method, SOURCES[method], kinds)

    @property
    def lmeinfo(self) -> LmeInfo:
        """lmeInfo's own answers, through R."""
        return LmeInfo(self)

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
        order of the rows or another BLAS moves them in the second or third digit.
        ``methods=["log", "profile"]`` has none.

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
            from .analysis.intervals import interval_table

            return interval_table(self, methods, level, vcov=vcov, bootstrap=bootstrap)
        if which not in ("var-cov", "fixed", "all"):
            raise SpecError(f"which must be 'var-cov', 'fixed' or 'all', not {which!r}")
        frames = [self._fixed_intervals(level)] if which != "var-cov" else []
        if which != "fixed":
            rows = core_intervals.intervals(self.snapshot, level)
            values = {"lower": rows.lower, "est.": rows.est, "upper": rows.upper}
            frames.append(pd.DataFrame(values, index=_two_names(rows.part, rows.name)))
        frame = pd.concat(frames)
        frame.attrs["method"] = f"nlme's intervals, {level:.0%}"
        return frame

    def _fixed_intervals(self, level: float) -> pd.DataFrame:
        frame = self._t_interval(np.sqrt(np.diag(self.snapshot.vcov)), level)
        frame.insert(1, "est.", self.params)
        frame.index = _two_names(["fixed"] * len(frame), frame.index)
        return frame

    def profile(self, *what: str, level: float = 0.95) -> Profile:
        """Profile likelihood of components or expressions: :func:`rbridge.analysis.profile.profile`."""
        from .analysis.profile import profile

        return profile(self, *what, level=level)

    def derive(
        self, *what: What, method: str = "expected", names: Sequence[str] | None = None
    ) -> VarcompVcov:
        """Functions of the components with their covariance: :func:`rbridge.analysis.derive.derive`.

        ``fit.derive("icc = var(subject) / total")``, several lines, or a function of the Series
        of components.
        """
        from .analysis.derive import derive

        return derive(self, *what, method=method, names=names)

    def tidy(self, **options: Any) -> pd.DataFrame:
        """One row a parameter, with broom.mixed's columns: :func:`rbridge.analysis.tidy.tidy`."""
        from .analysis.tidy import tidy

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
        from .many.bootstrap import bootstrap

        return bootstrap(self, n, n_jobs=n_jobs, seed=seed, progress=progress)

    def plot_varcomp(
        self,
        methods: Sequence[str] | None = None,
        level: float = 0.95,
        bootstrap: Bootstrap | None = None,
    ) -> Figure:
        """Forest of the components by several methods: :func:`rbridge.show.plots.varcomp_forest`."""
        from .show.plots import varcomp_forest

        return varcomp_forest(self, methods, level, bootstrap)

    def plot_diagnostics(self) -> Figure:
        """Residuals against fitted values, QQ plots, autocorrelation of normalized residuals."""
        from .show.diagnostics import diagnostics

        return diagnostics(self)

    def crosscheck(self, *, lmeinfo: bool | None = None) -> Crosscheck:
        """Compare delta, observed, average, expected and lmeInfo, and explain every gap.

        Parameters
        ----------
        lmeinfo : bool, optional
            Whether to ask lmeInfo, whose time grows with the square of the rows; by default up
            to 20 000 rows.
        """
        from .check.crosscheck import crosscheck

        return crosscheck(self, lmeinfo=lmeinfo)

    def diagnose(self) -> Diagnosis:
        """Boundary, identification, gradient and conditioning: findings with advice."""
        from .check.diagnose import diagnose

        return diagnose(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the snapshot; :func:`rbridge.load` reads it back without R."""
        self.snapshot.save(path)

    def summary(self) -> Report:
        """The fit as a report: prints as text, shows as HTML in a notebook."""
        from .show.report import fit_summary

        return fit_summary(self)

    def __repr__(self) -> str:
        state = "" if self.converged else ", not converged"
        snap = self.snapshot
        model = f"{snap.kind} {snap.method}: {snap.spec.get('fixed', '')}"
        return f"<LmeResults {model}, n={self.nobs}{state}>"

    def _repr_html_(self) -> str:
        return self.summary().to_html()

    def __getstate__(self) -> dict[str, Any]:
        # A fit in R cannot travel to another process; the rest can.
        return {"snapshot": self.snapshot, "_fitted": None, "_index": self._index}


def _two_names(part: Any, name: Any) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([list(part), list(name)], names=["part", "name"])


def _check_method(method: str, allowed: tuple[str, ...]) -> None:
    if method not in allowed:
        raise SpecError(f"method must be one of {', '.join(allowed)}, not {method!r}")


def ranef_params(fit: LmeResults) -> pd.DataFrame:
    """The seed's table: random-effect parameters on nlme's natural scale and as variances.

    Returns
    -------
    DataFrame
        Rows ``re.11 re.22 … re.12 …``, columns ``eta``, ``var.eta``, ``sigma``, ``var.sigma``;
        ``attrs`` has ``rho.ij``, ``drho.ij_deta.ij``, ``grad.rhoij`` (one row for each
        covariance: derivatives by η_ij, η_i, η_j) and ``var.sigma.diagonal_only``, the mistaken
        variance that leaves the covariances of the estimates out.

    Raises
    ------
    ApVarError, SpecError
        Without apVar, or without random effects.
    """
    table = seed_table.ranef_params(fit.snapshot)
    columns = {
        "eta": table.eta,
        "var.eta": table.var_eta,
        "sigma": table.sigma,
        "var.sigma": table.var_sigma,
    }
    frame = pd.DataFrame(columns, index=list(table.rows))
    frame.attrs = {
        "rho.ij": table.rho_ij.tolist(),
        "drho.ij_deta.ij": table.drho_ij_deta_ij.tolist(),
        "grad.rhoij": table.grad_rhoij.tolist(),
        "var.sigma.diagonal_only": table.var_sigma_diagonal_only.tolist(),
    }
    return frame
