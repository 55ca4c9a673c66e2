"""Φ = Cov(β̂) for known θ, its derivatives and the bias of Φ(θ̂), from the one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from ..arrays import Array
from ..engine.forms import FixedForms, Forms


@dataclass(frozen=True)
class FixedMoments:
    """How the covariance of the generalised least-squares estimate depends on θ.

    Rows and columns are the coefficients of the model's X.

    Attributes
    ----------
    names : tuple of str, length r
        Of θ.
    phi : (p, p) array
        Φ = (X'V⁻¹X)⁻¹.
    dphi : (r, p, p) array
        ∂Φ/∂θ_i = ΦX'V⁻¹V̇_iV⁻¹XΦ = −ΦP_iΦ in Kenward and Roger's letters.
    dbeta : (r, p) array
        ∂β̂(θ)/∂θ_i = −ΦX'V⁻¹V̇_i Py.
    forms : FixedForms
    """

    names: tuple[str, ...]
    phi: Array
    dphi: Array
    dbeta: Array
    forms: FixedForms

    def bias(self, W: Array, curvature: Array | None = None) -> Array:
        """Kenward and Roger's correction Φ_A − Φ, a (p, p) array.

        Parameters
        ----------
        W : (r, r) array
            Cov(θ̂).
        curvature : (r,) array, optional
            With it the term −¼R_ij is kept: Σ_ab Cov(η̂)_ab ∂²θ_i/∂η_a∂η_b in the parameters η
            in which the second derivatives of V are to be taken, zero for η = θ. Without it
            the term is left out.

        Notes
        -----
        2Φ{Σ W_ij (Q_ij − P_iΦP_j − ¼R_ij)}Φ with P_i = −X'V⁻¹V̇_iV⁻¹X,
        Q_ij = X'V⁻¹V̇_iV⁻¹V̇_jV⁻¹X and R_ij = X'V⁻¹V̈_ijV⁻¹X.
        """
        f = self.forms
        phi = _inverse(f.cross)
        WP = np.tensordot(W, f.cross1, 1)
        core = np.einsum("ij,ijab->ab", W, f.cross2) - np.einsum("iab,ibc->ac", f.cross1 @ phi, WP)
        if curvature is not None:
            second = np.einsum("ij,ijab->ab", W, f.cross3) + np.tensordot(curvature, f.cross1, 1)
            core -= second / 4
        return _to_model(f, phi @ (core + core.T) @ phi)


def fixed_moments(forms: Forms) -> FixedMoments:
    """The moments in what :func:`~rbridge.core.engine.contractions.contract` gave."""
    f = forms.fixed
    phi = _inverse(f.cross)
    dbeta = -solve_triangular(f.x_map, phi @ f.residual1.T).T
    return FixedMoments(
        forms.names, _to_model(f, phi), _to_model(f, phi @ f.cross1 @ phi), dbeta, f
    )


def _inverse(cross: Array) -> Array:
    """Inverse of U'V⁻¹U, which the pass has found to be positive definite."""
    scale = np.sqrt(np.diagonal(cross))
    return np.asarray(np.linalg.inv(cross / np.outer(scale, scale)) / np.outer(scale, scale))


def _to_model(forms: FixedForms, covariance: Array) -> Array:
    """A covariance (…, p, p) of the working coefficients as one of the model's."""
    back = solve_triangular(forms.x_map, np.eye(len(forms.x_map)))
    return np.asarray(back @ covariance @ back.T)
