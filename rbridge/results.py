"""What the user holds after a fit: pandas on the outside, the snapshot inside."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import pandas as pd
from scipy import special

from .core import delta, information, seed_table
from .core import intervals as core_intervals
from .core.contractions import contract
from .core.forms import Forms
from .core.parameters import theta
from .core.snapshot import ApVar as SnapshotApVar
from .core.snapshot import ApVarUnavailable, FitSnapshot
from .errors import DataError, LmeInfoUnsupported, RWarning, SpecError
from .spec import ModelSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .bootstrap import Bootstrap
    from .crosscheck import Crosscheck
    from .derive import What
    from .diagnose import Diagnosis
    from .parallel import Progress
    from .profile import Profile
    from .r.nlme import Fitted
    from .report import Report

METHODS = ("delta", "expected", "average", "observed")
SOURCES = {
    "delta": "nlme's apVar by the delta method",
    "expected": "expected information, computed exactly",
    "average": "average information, computed exactly",
    "observed": "observed information, computed exactly",
}
FIXED_SIGMA = (
    "nlme's apVar is wrong where sigma is fixed (it leaves terms of the likelihood out): "
    "use method='observed'"
)


@dataclass(frozen=True)
class ApVar:
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


class VarcompVcov:
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
    """

    def __init__(
        self,
        estimates: pd.Series,
        cov: pd.DataFrame,
        method: str,
        source: str,
        kinds: tuple[str, ...] = (),
    ) -> None:
        self.estimates = estimates
        self.cov = cov
        self.method = method
        self.source = source
        self.kinds = kinds

    @property
    def se(self) -> pd.Series:
        return pd.Series(np.sqrt(np.diag(self.cov)), self.estimates.index, name="se")

    @property
    def corr(self) -> pd.DataFrame:
        return self.cov / np.outer(self.se, self.se)

    def conf_int(self, level: float = 0.95, *, scale: str = "natural") -> pd.DataFrame:
        """Wald confidence intervals.

        Parameters
        ----------
        level : float
        scale : {"natural", "log"}
            ``natural``: estimate ± z·se. ``log``: on the log scale for variances and Fisher's
            z for correlations, and back; covariances stay natural.

        Returns
        -------
        DataFrame
            Columns ``lower``, ``upper``; ``attrs["method"]`` names the interval.
        """
        lower, upper = core_intervals.wald(
            self.estimates, self.cov, level, scale=scale, kinds=self.kinds  # type: ignore[arg-type]
        )
        frame = pd.DataFrame({"lower": lower, "upper": upper}, index=self.estimates.index)
        frame.attrs["method"] = f"Wald, {scale} scale, {level:.0%}"
        return frame

    def transform(self, g: Callable[..., Any], names: list[str] | None = None) -> VarcompVcov:
        """The same for g(estimates), by the delta method (:func:`rbridge.delta_method`)."""
        from .api import delta_method

        result = delta_method(g, self.estimates, self.cov, names=names)
        return VarcompVcov(result.estimates, result.cov, self.method, f"{self.source}, transformed")

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Estimates, standard errors and natural-scale Wald intervals."""
        frame = pd.DataFrame({"estimate": self.estimates, "se": self.se})
        return frame.join(self.conf_int(level))

    def plot(self, level: float = 0.95) -> Figure:
        """Estimates with Wald intervals, and the correlations of the estimates."""
        from .plot import vcov_picture

        return vcov_picture(self, level)

    def _report(self) -> Report:
        from .report import Report

        cov = self.cov.copy()
        parts = [("", self.to_frame()), ("Covariance of the estimates", cov)]
        return Report(f"Variance components ({self.source})", parts)

    def __repr__(self) -> str:
        return f"<VarcompVcov {self.method}: {len(self.estimates)} components, {self.source}>"

    def __str__(self) -> str:
        return str(self._report())

    def _repr_html_(self) -> str:
        return self._report().to_html()


def _square(matrix: Any, index: Any) -> pd.DataFrame:
    return pd.DataFrame(np.asarray(matrix), index=index, columns=index)


class LmeInfo:
    """lmeInfo's own answers for one fit, through R; the independent reference."""

    def __init__(self, fit: LmeResults) -> None:
        self._fit = fit

    def fisher_info(self, type: str = "expected") -> pd.DataFrame:
        """``lmeInfo::Fisher_info(fit, type)``; ``type`` is ``expected`` or ``average``.

        Raises
        ------
        LmeInfoUnsupported
            lmeInfo does not support the model, or is known to be wrong for it.
        RPackageError
            lmeInfo is not installed.
        """
        from .r import lmeinfo

        names, matrix = lmeinfo.fisher_info(self._fitted(), type)
        return _square(matrix, pd.Index(names))

    def varcomp_vcov(self, type: str = "expected") -> VarcompVcov:
        """``lmeInfo::varcomp_vcov(fit, type)``; raises as :meth:`fisher_info`."""
        info = self.fisher_info(type)
        try:
            np.linalg.cholesky(info.to_numpy())
        except np.linalg.LinAlgError:  # where lmeInfo's own chol() fails
            raise LmeInfoUnsupported(
                "lmeInfo's information matrix is not positive definite"
            ) from None
        cov = _square(np.linalg.inv(info.to_numpy()), info.index)
        version = self._fit.snapshot.provenance["lmeInfo"]
        natural = theta(self._fit.snapshot)
        source = f"{type} information, by lmeInfo {version}"
        return VarcompVcov(self._fit.varcomp, cov, type, source, natural.kinds)

    def extract_varcomp(self) -> pd.Series:
        """``lmeInfo::extract_varcomp(fit)`` as a Series; raises as :meth:`fisher_info`."""
        from .r import lmeinfo

        names, values = lmeinfo.extract_varcomp(self._fitted())
        return pd.Series(values, index=list(names), name="estimate")

    def unsupported(self) -> str:
        """Why lmeInfo cannot serve this model; empty where it can."""
        from .r import lmeinfo

        return lmeinfo.unsupported(self._fit.snapshot)

    def _fitted(self) -> Fitted:
        if self._fit._fitted is None:
            raise LmeInfoUnsupported(
                "this result was loaded from a file: lmeInfo needs the fit in R"
            )
        return self._fit._fitted


class LmeResults:
    """A fitted ``lme`` or ``gls`` model, with statsmodels' words for what its users know.

    Everything but :attr:`lmeinfo` and :meth:`predict` on new data works without R, from
    :attr:`snapshot` alone.
    """

    def __init__(
        self, snapshot: FitSnapshot, fitted: Fitted | None = None, index: Any = None
    ) -> None:
        self.snapshot = snapshot
        self._fitted = fitted
        labels = pd.RangeIndex(int(snapshot.rows.max()) + 1) if index is None else index
        self._index = labels  # of the user's frame

    # --- fixed effects -----------------------------------------------------------------------

    def _by_coef(self, values: Any, name: str) -> pd.Series:
        return pd.Series(np.array(values), index=list(self.snapshot.coef_names), name=name)

    @property
    def params(self) -> pd.Series:
        """Fixed effects."""
        return self._by_coef(self.snapshot.beta, "estimate")

    @property
    def bse(self) -> pd.Series:
        """Standard errors of the fixed effects, as R's ``summary``."""
        return self._by_coef(self.snapshot.std_error, "se")

    @property
    def tvalues(self) -> pd.Series:
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
        return _square(vcov * factor, list(self.snapshot.coef_names))

    def conf_int(self, level: float = 0.95, *, alpha: float | None = None) -> pd.DataFrame:
        """t intervals of the fixed effects from :attr:`bse` and :attr:`df_resid`.

        ``alpha`` is statsmodels' name for 1 − ``level``. Under ML, nlme's own
        ``intervals(fit, which="fixed")`` leaves out summary's σ adjustment:
        :meth:`intervals` with ``which="fixed"`` reproduces it.
        """
        return self._t_interval(self.bse, 1 - alpha if alpha is not None else level)

    def _t_interval(self, se: Any, level: float) -> pd.DataFrame:
        if not 0 < level < 1:
            raise SpecError(f"level must lie between 0 and 1, not {level}")
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
    def converged(self) -> bool:
        return self.snapshot.converged

    @property
    def warnings_(self) -> tuple[str, ...]:
        """R's warnings during the fit."""
        return self.snapshot.warnings

    @property
    def llf(self) -> float:
        """Log-likelihood (restricted, for REML), as R's ``logLik``."""
        return self.snapshot.log_lik

    @property
    def df_model(self) -> int:
        """Number of estimated parameters, fixed effects and variance components."""
        return len(self.snapshot.beta) + len(theta(self.snapshot).values)

    @property
    def aic(self) -> float:
        return 2 * self.df_model - 2 * self.llf

    @property
    def bic(self) -> float:
        """As R's ``BIC``: under REML with n − p for the number of observations."""
        restricted = self.snapshot.method == "REML"
        n = self.nobs - (len(self.snapshot.beta) if restricted else 0)
        return float(self.df_model * np.log(n) - 2 * self.llf)

    @property
    def nobs(self) -> int:
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
    def random_effects(self) -> dict[str, pd.DataFrame]:
        """Predicted random effects by grouping level, outermost first: groups × effects."""
        return {
            level.group: pd.DataFrame(level.b, index=list(level.labels), columns=list(level.names))
            for level in self.snapshot.levels
        }

    def _by_row(self, values: Any, name: str) -> pd.Series:
        """Values in snapshot order as a Series in the order of the user's frame."""
        rows = self.snapshot.rows
        order = np.argsort(rows)
        return pd.Series(np.array(values)[order], index=self._index[rows[order]], name=name)

    def _level(self, level: int | None) -> int:
        n = len(self.snapshot.levels)
        if level is None:
            return n
        if not 0 <= level <= n:
            raise SpecError(f"level must be 0 (population) to {n} (innermost), not {level}")
        return level

    def fitted(self, level: int | None = None) -> pd.Series:
        """Fitted values at a level: 0 for the population, by default the innermost."""
        return self._by_row(self.snapshot.fitted[:, self._level(level)], "fitted")

    @property
    def fittedvalues(self) -> pd.Series:
        """Fitted values at the innermost level, indexed as the rows of the data."""
        return self.fitted()

    @property
    def resid(self) -> pd.Series:
        """Response residuals at the innermost level, indexed as the rows of the data."""
        return self._by_row(self.snapshot.y - self.snapshot.fitted[:, -1], "resid")

    def residuals(self, type: str = "response", level: int | None = None) -> pd.Series:
        """Residuals, indexed as the rows of the data.

        Parameters
        ----------
        type : {"response", "pearson", "normalized"}
            y − ŷ; divided by its standard deviation σ·s_i; freed of the within-group correlation
            too. As nlme's ``resid(fit, level, type)``.
        level : int, optional
            0 for the population, 1 for the outermost groups …; by default the innermost.
        """
        from .core.residuals import residuals

        return self._by_row(residuals(self.snapshot, type, self._level(level)), "resid")  # type: ignore[arg-type]

    def predict(
        self,
        new_data: pd.DataFrame | None = None,
        level: int | None = None,
        *,
        unseen: str = "raise",
    ) -> pd.Series:
        """Predictions at a level.

        Parameters
        ----------
        new_data : DataFrame, optional
            By default the data of the fit.
        level : int, optional
            0 for the population, 1 for the outermost groups …; by default the innermost.
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
        chosen = self._level(level)
        if unseen not in ("raise", "population"):
            raise SpecError(f"unseen must be 'raise' or 'population', not {unseen!r}")
        if new_data is None:
            return self.fitted(chosen)
        if self._fitted is None:
            raise DataError("this result was loaded from a file: new data needs the fit in R")
        from .predict import predict_new

        return predict_new(self._fitted, new_data, chosen, unseen)

    # --- variance components -----------------------------------------------------------------

    @property
    def varcomp(self) -> pd.Series:
        """Natural-scale variance components, labelled as ``rownames(varcomp_vcov())`` in lmeInfo."""
        natural = theta(self.snapshot)
        return pd.Series(natural.values, index=list(natural.names), name="estimate")

    @property
    def apvar(self) -> Union[ApVar, ApVarUnavailable]:
        """nlme's approximate covariance of its parameters, or why there is none."""
        apvar = self.snapshot.apvar
        if not isinstance(apvar, SnapshotApVar):
            return apvar
        names = list(apvar.names)
        return ApVar(
            pd.Series(apvar.pars, names, name="Pars"), _square(apvar.cov, names), apvar.natural
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
        return _square(result.matrix, list(result.names))

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
            cov = information.information_from(self._forms, method).inverse()  # type: ignore[arg-type]
        estimates, names, kinds = natural.values, natural.names, natural.kinds
        if separate_variances:
            strata = information.stratum_variances(self.snapshot)
            estimates, names, kinds = strata.values, strata.names, strata.kinds
            cov = strata.jacobian @ cov @ strata.jacobian.T
        series = pd.Series(estimates, index=list(names), name="estimate")
        return VarcompVcov(series, _square(cov, list(names)), method, SOURCES[method], kinds)

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

        Parameters
        ----------
        level : float
        which : {"var-cov", "fixed", "all"}
        methods, vcov, bootstrap
            Of the variance components by several methods side by side: see
            :func:`rbridge.interval_table.interval_table`, whose frame this returns.

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
            from .interval_table import interval_table

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
        """Profile likelihood of components or expressions: :func:`rbridge.profile.profile`."""
        from .profile import profile

        return profile(self, *what, level=level)

    def derive(
        self, *what: What, method: str = "expected", names: Sequence[str] | None = None
    ) -> VarcompVcov:
        """Functions of the components with their covariance: :func:`rbridge.derive.derive`.

        ``fit.derive("icc = var(subject) / total")``, several lines, or a function of the Series
        of components.
        """
        from .derive import derive

        return derive(self, *what, method=method, names=names)

    def tidy(self, **options: Any) -> pd.DataFrame:
        """One row a parameter, with broom.mixed's columns: :func:`rbridge.tidy.tidy`."""
        from .tidy import tidy

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
        iterate; a response that also stands elsewhere in the model keeps its values there.
        """
        from .bootstrap import bootstrap

        return bootstrap(self, n, n_jobs=n_jobs, seed=seed, progress=progress)

    def plot_varcomp(
        self,
        methods: Sequence[str] | None = None,
        level: float = 0.95,
        bootstrap: Bootstrap | None = None,
    ) -> Figure:
        """Forest of the components by several methods: :func:`rbridge.plot.varcomp_forest`."""
        from .plot import varcomp_forest

        return varcomp_forest(self, methods, level, bootstrap)

    def plot_diagnostics(self) -> Figure:
        """Residuals against fitted values, QQ plots, autocorrelation of normalized residuals."""
        from .plot_diagnostics import diagnostics

        return diagnostics(self)

    def crosscheck(self) -> Crosscheck:
        """Compare delta, observed, average, expected and lmeInfo, and explain every gap."""
        from .crosscheck import crosscheck

        return crosscheck(self)

    def diagnose(self) -> Diagnosis:
        """Boundary, identification, gradient and conditioning: findings with advice."""
        from .diagnose import diagnose

        return diagnose(self)

    def summary(self) -> Report:
        """The fit as a report: prints as text, shows as HTML in a notebook."""
        from .report import fit_summary

        return fit_summary(self)

    def __repr__(self) -> str:
        state = "" if self.converged else ", not converged"
        spec = self.snapshot
        return f"<LmeResults {spec.kind} {spec.method}: {spec.spec.get('fixed', '')}, n={self.nobs}{state}>"

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
