"""The log-likelihood with its exact gradient and Hessian in the coordinates of the search."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...errors import InformationError
from ..arrays import Array
from ..engine.contractions import contract
from ..engine.forms import Forms
from ..snapshot import FitSnapshot
from .coding import Coding

_LEAST_INFORMATION = 0.05  # of a structure's coefficient: a unit step is at most about 4 of its u


@dataclass(frozen=True)
class Evaluation:
    """A point of the surface. ψ = (φ, log σ²), without the last where σ is fixed.

    Attributes
    ----------
    psi : (d,) array
    theta : (r,) array
        r = d.
    log_lik : float
    jacobian : (r, d) array
        ∂θ/∂ψ.
    gradient : (d,) array
    hessian, metric : (d, d) arrays
        The metric is the expected information, with enough added along directions in which ψ
        tells nothing to first order (a factor of zero) that a unit is a standard error of theirs.
    forms : Forms
    """

    psi: Array
    theta: Array
    log_lik: float
    jacobian: Array
    gradient: Array
    hessian: Array
    metric: Array
    forms: Forms

    @property
    def size(self) -> float:
        """Of the terms in the log-likelihood, which decides how it is rounded."""
        return abs(self.forms.log_det) + abs(self.forms.log_det_x) + 3.0 * self.forms.n


class Surface:
    """The log-likelihood of a fit as a function of ψ.

    Parameters
    ----------
    snapshot : FitSnapshot
        Its estimates are not used.
    """

    def __init__(self, snapshot: FitSnapshot) -> None:
        self.snapshot = snapshot
        self.coding = Coding(snapshot)
        self.fixed = snapshot.fixed_sigma
        self._given = snapshot.sigma**2
        self.evaluations = 0

    def psi(self, theta: Array) -> Array:
        """Coordinates of (r,) ``theta``; an indefinite D is first brought back into the cone."""
        sigma_sq = self._given if self.fixed else float(theta[-1])
        n = self.coding.n_phi
        phi = self.coding.phi(theta[:n], sigma_sq)
        psi = phi if self.fixed else np.append(phi, np.log(sigma_sq))
        if not np.isfinite(psi).all():
            raise InformationError("the estimates are not inside the model: no likelihood to climb")
        return psi

    def split(self, psi: Array) -> tuple[Array, float]:
        """φ and σ²."""
        return (psi, self._given) if self.fixed else (psi[:-1], float(np.exp(psi[-1])))

    def theta(self, psi: Array) -> Array:
        """(r,) θ at ``psi``."""
        phi, sigma_sq = self.split(psi)
        theta = self.coding.theta(phi, sigma_sq)
        return theta if self.fixed else np.append(theta, sigma_sq)

    def jacobian(self, psi: Array, theta: Array) -> Array:
        """∂θ/∂ψ, (r, d)."""
        J = self.coding.jacobian(*self.split(psi))
        if self.fixed:
            return J
        n, n_tau = self.coding.n_phi, self.coding.n_tau
        out = np.zeros((n + 1, n + 1))
        out[:n, :n] = J
        out[:n_tau, n], out[n, n] = theta[:n_tau], theta[n]
        return out

    def curvature(self, psi: Array, jacobian: Array, weight: Array) -> Array:
        """Σ_r weight_r ∂²θ_r/∂ψ∂ψ', (d, d)."""
        phi, sigma_sq = self.split(psi)
        n, n_tau = self.coding.n_phi, self.coding.n_tau
        H = self.coding.curvature(phi, sigma_sq, weight[:n])
        if self.fixed:
            return H
        out = np.zeros((n + 1, n + 1))
        out[:n, :n] = H
        out[:n_tau, n] = out[n, :n_tau] = weight[:n_tau] @ jacobian[:n_tau, :n_tau]
        out[n, n] = weight @ jacobian[:, n]
        return out

    def at(self, psi: Array, *, profiled: bool = False) -> Evaluation | None:
        """The point at ``psi``, or with σ² at its best for this φ; None where there is no model."""
        with np.errstate(all="ignore"):
            try:
                return self._point(psi, profiled and not self.fixed)
            except (InformationError, np.linalg.LinAlgError):
                return None

    def _point(self, psi: Array, profiled: bool) -> Evaluation | None:
        theta = self.theta(psi)
        if not np.isfinite(theta).all():
            return None
        self.evaluations += 1
        forms = contract(self.snapshot, theta)
        if profiled:
            forms, ratio = at_best_scale(forms, self.coding.n_tau)
            psi = np.append(psi[:-1], psi[-1] + np.log(ratio))
            theta = self.theta(psi)
        J, score = self.jacobian(psi, theta), forms.score
        hessian = _theta_hessian(forms)
        expected = forms.trace2 / 2
        point = Evaluation(
            psi,
            theta,
            forms.log_likelihood,
            J,
            J.T @ score,
            J.T @ hessian @ J + self.curvature(psi, J, score),
            J.T @ expected @ J + np.diag(self._floor(psi, expected)),
            forms,
        )
        finite = np.isfinite(point.log_lik) and np.isfinite(point.hessian).all()
        return point if finite and np.isfinite(point.metric).all() else None

    def _floor(self, psi: Array, expected: Array) -> Array:
        """Of a factor's element: 1/its square where that adds one standard error to D."""
        n_tau = self.coding.n_tau
        squares = self.coding.squares(self.split(psi)[1])[:n_tau]
        curved = np.einsum("ke,ef,kf->k", squares, expected[:n_tau, :n_tau], squares)
        floor = np.full(len(psi), _LEAST_INFORMATION)
        floor[:n_tau] = np.sqrt(np.maximum(curved, 0))
        return floor


def _theta_hessian(forms: Forms) -> Array:
    """∂²ℓ/∂θ∂θ'."""
    return np.asarray(forms.trace2 / 2 - forms.quad2 - (forms.trace3 - forms.quad3) / 2)


def at_best_scale(forms: Forms, n_tau: int) -> tuple[Forms, float]:
    """The forms at cV with the c of the largest likelihood, without another pass, and c.

    D and σ² change by c; coefficients of the structures stay.
    """
    free = forms.n - forms.p if forms.method == "REML" else forms.n
    c = forms.quad / free
    if not c > 0:
        raise InformationError("nothing is left of the response: σ² is zero")
    w = np.ones(len(forms.names))
    w[:n_tau] = w[-1] = 1 / c  # ∂V/∂θ stays for these, and grows by c for the rest
    ww = np.outer(w, w)
    scaled = replace(
        forms,
        log_det=forms.log_det + forms.n * np.log(c),
        log_det_x=forms.log_det_x - forms.p * np.log(c),
        quad=forms.quad / c,
        trace1=forms.trace1 * w,
        quad1=forms.quad1 * w / c,
        trace2=forms.trace2 * ww,
        quad2=forms.quad2 * ww / c,
        quad2_fixed=forms.quad2_fixed * ww / c,
        trace3=forms.trace3 * ww,
        quad3=forms.quad3 * ww / c,
        fixed=replace(
            forms.fixed,
            cross=forms.fixed.cross / c,
            cross1=forms.fixed.cross1 * w[:, None, None] / c,
            cross2=forms.fixed.cross2 * ww[:, :, None, None] / c,
            cross3=forms.fixed.cross3 * ww[:, :, None, None] / c,
            residual1=forms.fixed.residual1 * w[:, None] / c,
        ),
    )
    return scaled, c
