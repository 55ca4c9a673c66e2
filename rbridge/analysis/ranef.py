"""The table that this project began with: random-effect parameters and their variances."""

from __future__ import annotations

import pandas as pd

from ..core import seed_table
from ..errors import RWarning, warn
from ..fit.components import Fit


def ranef_params(fit: Fit) -> pd.DataFrame:
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
    if doubt := fit.apvar_doubt():
        warn(doubt, RWarning)
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
