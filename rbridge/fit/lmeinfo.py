"""lmeInfo's own answers for one fit, through R; the independent reference."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..core.parameters import coefficient_names, theta
from ..core.snapshot import FitSnapshot
from ..errors import LmeInfoUnsupported
from ..r import lmeinfo
from ..r.nlme import Fitted
from .live import in_r
from .vcov import VarcompVcov, square


class LmeInfo:
    """lmeInfo's own answers for one fit, through R; the independent reference."""

    def __init__(self, snapshot: FitSnapshot, fitted: Fitted | None) -> None:
        self._snapshot, self._held = snapshot, fitted

    def fisher_info(self, type: str = "expected") -> pd.DataFrame:
        """``lmeInfo::Fisher_info(fit, type)``; ``type`` is ``expected`` or ``average``.

        Raises
        ------
        LmeInfoUnsupported
            lmeInfo does not support the model, or is known to be wrong for it.
        RPackageError
            lmeInfo is not installed.
        """
        names, matrix = lmeinfo.fisher_info(self._fitted(), type)
        return square(matrix, pd.Index(names))

    def varcomp_vcov(self, type: str = "expected") -> VarcompVcov:
        """``lmeInfo::varcomp_vcov(fit, type)``; raises as :meth:`fisher_info`."""
        info = self.fisher_info(type)
        try:
            np.linalg.cholesky(info.to_numpy())
        except np.linalg.LinAlgError:  # where lmeInfo's own chol() fails
            raise LmeInfoUnsupported(
                "lmeInfo's information matrix is not positive definite"
            ) from None
        cov = square(np.linalg.inv(info.to_numpy()), info.index)
        natural = theta(self._snapshot)
        estimates = pd.Series(natural.values, index=list(natural.names), name="estimate")
        source = f"{type} information, by lmeInfo {self._snapshot.provenance['lmeInfo']}"
        called = coefficient_names(self._snapshot)
        return VarcompVcov(estimates, cov, type, source, natural.kinds, coefficients=called)

    def extract_varcomp(self) -> pd.Series:
        """``lmeInfo::extract_varcomp(fit)`` as a Series; raises as :meth:`fisher_info`."""
        names, values = lmeinfo.extract_varcomp(self._fitted())
        return pd.Series(values, index=list(names), name="estimate")

    def unsupported(self) -> str:
        """Why lmeInfo cannot serve this model; empty where it can."""
        return lmeinfo.unsupported(self._snapshot)

    def __repr__(self) -> str:
        version = self._snapshot.provenance.get("lmeInfo", "")
        how = self.unsupported() or "fisher_info(), varcomp_vcov(), extract_varcomp()"
        if not self.unsupported() and self._held is None:
            how = "not from a file: it needs the fit in R"
        return f"<R's lmeInfo {version}".rstrip() + f" for this fit: {how}>"

    def _fitted(self) -> Fitted:
        return in_r(self._held, "lmeInfo", LmeInfoUnsupported)
