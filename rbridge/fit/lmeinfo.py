"""lmeInfo's own answers for one fit, through R; the independent reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..core.parameters import theta
from ..errors import LmeInfoUnsupported
from .regression import NO_FIT
from .vcov import VarcompVcov, square

if TYPE_CHECKING:
    from ..r.nlme import Fitted
    from ..results import LmeResults


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
        from ..r import lmeinfo

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
        version = self._fit.snapshot.provenance["lmeInfo"]
        natural = theta(self._fit.snapshot)
        source = f"{type} information, by lmeInfo {version}"
        return VarcompVcov(self._fit.varcomp, cov, type, source, natural.kinds)

    def extract_varcomp(self) -> pd.Series:
        """``lmeInfo::extract_varcomp(fit)`` as a Series; raises as :meth:`fisher_info`."""
        from ..r import lmeinfo

        names, values = lmeinfo.extract_varcomp(self._fitted())
        return pd.Series(values, index=list(names), name="estimate")

    def unsupported(self) -> str:
        """Why lmeInfo cannot serve this model; empty where it can."""
        from ..r import lmeinfo

        return lmeinfo.unsupported(self._fit.snapshot)

    def _fitted(self) -> Fitted:
        if self._fit._fitted is None:
            raise LmeInfoUnsupported(NO_FIT.format("lmeInfo"))
        return self._fit._fitted
