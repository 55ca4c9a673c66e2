"""The same model by other random effects, where a covariate lies far from its zero.

A random slope of the year: intercepts in the year 0 and slopes are all but one, and the information
about their covariance matrix D has (span/mean)⁴ left of its digits. V is the same for effects ZR⁻¹
with covariance RDR', where Z = QR: by these it is searched, tested and looked at.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .parameters import tau_basis
from .snapshot import FitSnapshot, RandomLevel

_FAR = 0.05  # of a column, less than which is not also in those before: a covariate far from zero
_REPEATED = 1e-10  # of a column, less than which is rounding: it is one of those before


def by_orthonormal(snapshot: FitSnapshot) -> FitSnapshot:
    """The snapshot itself where no covariate is far; θ is that of the other effects elsewhere."""
    levels = tuple(map(_turned, snapshot.levels))
    same = all(new is old for new, old in zip(levels, snapshot.levels))
    return snapshot if same else replace(snapshot, levels=levels)


def _turned(level: RandomLevel) -> RandomLevel:
    q, size = len(level.names), np.linalg.norm(level.Z, axis=0)
    Q, R = np.linalg.qr(level.Z / np.where(size > 0, size, 1))
    own = np.abs(np.diagonal(R)).min(initial=1)
    if len(tau_basis(level)[0]) < q * (q + 1) // 2 or not _REPEATED < own < _FAR:
        return level
    root = R * size / np.sqrt(len(Q))
    return replace(level, Z=Q * np.sqrt(len(Q)), D=root @ level.D @ root.T)
