"""The numbers of a fit: its variance components and their covariance, from the snapshot."""

from __future__ import annotations

from functools import cached_property
from os import PathLike
from typing import Union

import pandas as pd

from ..core import delta, information
from ..core.delta import APVAR_ERROR
from ..core.engine.contractions import contract
from ..core.engine.forms import Forms
from ..core.fitting.shortfall import SHORT, visible_rise
from ..core.orthonormal import by_orthonormal
from ..core.parameters import coefficient_names, theta
from ..core.snapshot import ApVar, ApVarUnavailable, FitSnapshot
from ..errors import InformationError, RWarning, warn
from ..options import one_of
from .lmeinfo import LmeInfo
from .regression import FittedModel
from .vcov import METHODS, SOURCES, NamedApVar, VarcompVcov, square

FIXED_SIGMA = (
    "nlme's apVar is wrong where sigma is fixed (it leaves terms of the likelihood out): "
    "use method='observed'"
)
BAD_APVAR = (
    "nlme's apVar is off by up to {:.2g} of the exact variances (by its finite differences, or "
    "because it stopped before the optimum), and so are standard errors and intervals made of it: "
    "use method='observed' or 'expected', intervals(methods=['log', 'profile'])"
)


class Fit(FittedModel):
    """A fitted model with its variance components: what every analysis takes.

    Everything but :attr:`lmeinfo` and :meth:`predict` on new data works without R, from
    :attr:`snapshot` alone.
    """

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
    def apvar(self) -> Union[NamedApVar, ApVarUnavailable]:
        """nlme's approximate covariance of its parameters, or why there is none."""
        apvar = self.snapshot.apvar
        if not isinstance(apvar, ApVar):
            return apvar
        names = list(apvar.names)
        return NamedApVar(
            pd.Series(apvar.pars, names, name="Pars"), square(apvar.cov, names), apvar.natural
        )

    @cached_property
    def apvar_error(self) -> float | None:
        """How far nlme's apVar is from the exact observed information: gap A of a cross-check.

        In units of the exact variances; None where one of the two is missing.
        """
        try:
            return delta.apvar_error(self.snapshot, self.forms)
        except InformationError:
            return None

    @cached_property
    def visible_rise(self) -> float:
        """How far the log-likelihood rises from the estimates to the optimum above them.

        0 where there is no likelihood to climb; at the optimum, what rounding leaves.
        """
        try:
            return visible_rise(self._near)
        except InformationError:
            return 0.0

    def below_maximum(self) -> str:
        """How far the fit stands below its maximum, where that is visible; else empty."""
        rise = self.visible_rise
        return f"{rise:.2g} below the maximum of its log-likelihood" if rise > SHORT else ""

    def apvar_doubt(self) -> str:
        """Why what is made of nlme's apVar is wrong here; empty where it is not."""
        if not isinstance(self.snapshot.apvar, ApVar):
            return ""
        if self.snapshot.fixed_sigma:
            return FIXED_SIGMA
        error = self.apvar_error
        return BAD_APVAR.format(error) if error is not None and error >= APVAR_ERROR else ""

    @cached_property
    def forms(self) -> Forms:
        """What one pass over the data gives: every kind of information is made of it."""
        return contract(self.snapshot)

    @cached_property
    def near(self) -> tuple[FitSnapshot, Forms]:
        """Snapshot and forms for what depends on V alone, not on how D is written."""
        near = self._near
        return near, self.forms if near is self.snapshot else contract(near)

    @cached_property
    def _near(self) -> FitSnapshot:
        return by_orthonormal(self.snapshot)

    def fisher_info(self, kind: str = "expected") -> pd.DataFrame:
        """Fisher information of the variance components, computed here and exactly.

        Parameters
        ----------
        kind : {"expected", "average", "observed"}
        """
        one_of(kind, METHODS[1:], "method")
        result = information.information_from(self.forms, kind)  # type: ignore[arg-type]
        return square(result.matrix, list(result.names))

    def varcomp_vcov(
        self, method: str = "expected", *, separate_variances: bool = False
    ) -> VarcompVcov:
        """Sampling covariance of the variance components.

        Parameters
        ----------
        method : {"expected", "average", "observed", "delta"}
            ``delta``: from nlme's apVar, which approximates ``observed`` by finite
            differences, with an ``RWarning`` where these failed. The others are computed here,
            exactly.
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
        one_of(method, METHODS, "method")
        natural = theta(self.snapshot)
        if method == "delta":
            cov = delta.apvar_delta(self.snapshot).cov
            if doubt := self.apvar_doubt():
                warn(doubt, RWarning)
        else:
            found = information.information_from(self.forms, method)  # type: ignore[arg-type]
            cov = found.inverse()
        estimates, names, kinds = natural.values, natural.names, natural.kinds
        if separate_variances:
            strata = information.stratum_variances(self.snapshot)
            estimates, names, kinds = strata.values, strata.names, strata.kinds
            cov = strata.jacobian @ cov @ strata.jacobian.T
        series = pd.Series(estimates, index=list(names), name="estimate")
        called, found = coefficient_names(self.snapshot), square(cov, list(names))
        return VarcompVcov(series, found, method, SOURCES[method], kinds, coefficients=called)

    @property
    def lmeinfo(self) -> LmeInfo:
        """lmeInfo's own answers, through R."""
        return LmeInfo(self.snapshot, self._fitted)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the snapshot; :func:`rbridge.load` reads it back without R."""
        self.snapshot.save(path)

    def __repr__(self) -> str:
        state = "" if self.converged else ", not converged"
        snap = self.snapshot
        model = f"{snap.kind} {snap.method}: {snap.spec.get('fixed', '')}"
        return f"<{type(self).__name__} {model}, n={self.nobs}{state}>"
