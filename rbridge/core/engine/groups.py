"""What the groups of one level say of the columns whatever θ is: their own least squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Array

_DEPENDENT = 1e-13  # of an eigenvalue of Z'Z, its columns in units of their own


@dataclass(frozen=True)
class GroupSums:
    """What does not depend on θ, cells last.

    Attributes
    ----------
    G, g : (q, q, m) arrays
    c : (k, q, m) array
        Z'B of the columns to keep.
    inside : tuple of int or None
        For each column to keep, which column of Z it is.
    own : (l, q, m) array
        gc of the l columns that are none of Z.
    left : (l, l) array
        B'B of these less Σ c'gc.
    """

    G: Array
    g: Array
    c: Array
    inside: tuple[int | None, ...]
    own: Array
    left: Array

    @classmethod
    def of(cls, cross: Array, z: Sequence[int], keep: Sequence[int]) -> GroupSums:
        """From (k, k, m) B'B of each group, and which columns are Z and which to keep."""
        inside = tuple(z.index(column) if column in z else None for column in keep)
        others = [column for column in keep if column not in z]
        G, c = cross[np.ix_(z, z)], cross[np.ix_(keep, z)]
        g = generalised_inverse(G)
        apart = cross[np.ix_(others, z)]
        own = np.einsum("zwm,kwm->kzm", g, apart)
        left = cross[np.ix_(others, others)] - np.einsum("kzm,lzm->klm", apart, own)
        return cls(G, g, c, inside, own, left.sum(axis=-1))


def generalised_inverse(G: Array) -> Array:
    """A symmetric g with GgG = G and gGg = g for each cell of (q, q, m) G ≥ 0."""
    unit = np.sqrt(np.einsum("zzm->zm", G))
    unit = np.where(unit > 0, unit, 1.0)
    if len(G) == 1:
        return np.asarray((G > 0) / unit**2)
    scaled = G / (unit[:, None] * unit[None])
    if len(G) == 2:
        rest = 1.0 - scaled[0, 1] ** 2
        whole = rest > _DEPENDENT
        out = np.where(np.eye(2)[..., None] > 0, 1.0, -scaled) / np.where(whole, rest, 1.0)
        whole &= (scaled[0, 0] > 0) & (scaled[1, 1] > 0)
    else:
        whole, out = np.zeros(G.shape[-1], dtype=bool), np.empty(G.shape)
    if not whole.all():
        values, vectors = np.linalg.eigh(scaled[..., ~whole].transpose(2, 0, 1))
        kept = values > _DEPENDENT * values[:, -1:]
        turned = vectors * np.where(kept, 1 / np.where(kept, values, 1.0), 0.0)[:, None]
        out[..., ~whole] = (turned @ vectors.swapaxes(1, 2)).transpose(1, 2, 0)
    return np.asarray(out / (unit[:, None] * unit[None]))
