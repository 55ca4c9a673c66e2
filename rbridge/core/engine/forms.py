"""The numbers that the likelihood, its gradient and the three informations are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..arrays import Array

Method = Literal["REML", "ML"]
Path = Literal["absorption", "dense"]


@dataclass(frozen=True)
class FixedForms:
    """The design of the fixed effects through V⁻¹ and the derivatives of V.

    In working columns U, better conditioned than the model's X where that is needed: X = U M.

    Attributes
    ----------
    x_map : (p, p) array
        M, upper triangular; the identity where X serves as it is.
    cross : (p, p) array
        U'V⁻¹U.
    cross1 : (r, p, p) array
        U'V⁻¹V̇_r V⁻¹U.
    cross2 : (r, r, p, p) array
        U'V⁻¹V̇_r V⁻¹V̇_s V⁻¹U.
    cross3 : (r, r, p, p) array
        U'V⁻¹V̈_rs V⁻¹U.
    residual1 : (r, p) array
        U'V⁻¹V̇_r Py.
    """

    x_map: Array
    cross: Array
    cross1: Array
    cross2: Array
    cross3: Array
    residual1: Array


@dataclass(frozen=True)
class Traces:
    """What the design says at one θ (r parameters, labelled), whatever the response is.

    W stands for P under REML and for V⁻¹ under ML.

    Attributes
    ----------
    names : tuple of str, length r
    method : {"REML", "ML"}
    path : {"absorption", "dense"}
    reason : str
        Why the dense path was taken; empty otherwise.
    n, p : int
        Rows, and columns of X.
    log_det, log_det_x : float
        log det V and log det X'V⁻¹X.
    trace1 : (r,) array
        tr W V̇_r.
    trace2, trace3 : (r, r) arrays
        tr W V̇_r W V̇_s and tr W V̈_rs.
    """

    names: tuple[str, ...]
    method: Method
    path: Path
    reason: str
    n: int
    p: int
    log_det: float
    log_det_x: float
    trace1: Array
    trace2: Array
    trace3: Array


@dataclass(frozen=True)
class Forms(Traces):
    """Traces and quadratic forms of V and its derivatives at one θ.

    Py = V⁻¹(y − Xβ̂) under REML and ML.

    Attributes
    ----------
    quad : float
        y'Py.
    quad1 : (r,) array
        y'P V̇_r Py.
    quad2, quad3 : (r, r) arrays
        y'P V̇_r P V̇_s Py and y'P V̈_rs Py.
    quad2_fixed : (r, r) array
        y'P V̇_r V⁻¹ V̇_s Py: β held fixed.
    fixed : FixedForms
    """

    quad: float
    quad1: Array
    quad2: Array
    quad2_fixed: Array
    quad3: Array
    fixed: FixedForms

    @property
    def log_likelihood(self) -> float:
        """ℓ(θ): −½ (n log 2π + log det V + y'Py), under REML with n − p and + log det X'V⁻¹X."""
        restricted = self.method == "REML"
        free = self.n - self.p if restricted else self.n
        log_det = self.log_det + (self.log_det_x if restricted else 0.0)
        return -0.5 * (free * float(np.log(2 * np.pi)) + log_det + self.quad)

    @property
    def score(self) -> Array:
        """(r,) gradient of ℓ: −½ tr W V̇_r + ½ y'P V̇_r Py."""
        return np.asarray((self.quad1 - self.trace1) / 2)
