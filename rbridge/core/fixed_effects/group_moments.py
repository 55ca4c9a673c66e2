"""Z'V⁻¹Z and Z'V⁻¹X of every group: what the errors of predicted random effects are made of.

Z_a: the rows of one group of level a. A pass from the inside outwards gives the moments of each
level under the V of all levels inside it; a second one carries the outer levels in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import SpecError
from ..arrays import Array
from ..engine.absorb import Moments, absorb, without_parameters
from ..engine.layout import Layout, NotNested, between, layout
from ..engine.model import Model, model_at
from ..engine.within import base_moments
from ..snapshot import FitSnapshot

Block = dict[int, Array]  # by the level b of the columns: (q_a, q_b, m_a)


@dataclass(frozen=True)
class GroupMoments:
    """Moments of the random-effects designs; levels outermost first.

    Attributes
    ----------
    zz : tuple of tuple of (m_a, q_a, q_b) arrays
        ``zz[a][b]``, b ≤ a: Z_a'V⁻¹Z_b, each group of level a with its own group of level b.
    zx : tuple of (m_a, q_a, p) arrays
        Z_a'V⁻¹X.
    """

    zz: tuple[tuple[Array, ...], ...]
    zx: tuple[Array, ...]


def group_moments(snapshot: FitSnapshot) -> GroupMoments:
    """Moments of all groups at the estimates, in time linear in the rows.

    Raises
    ------
    SpecError
        The groups do not nest.
    """
    try:
        design = layout(snapshot)
    except NotNested as error:
        raise SpecError(f"predictions with errors need nested groups: {error}") from None
    model, levels = model_at(snapshot), range(len(snapshot.levels))
    chunks = [_chunk(design, model, *rows) for rows in design.chunks(1 + model.n_base)]

    def joined(a: int, b: int) -> Array:
        return np.concatenate([chunk[a][b] for chunk in chunks], axis=-1).transpose(2, 0, 1)

    zz = tuple(tuple(joined(a, b) for b in range(a + 1)) for a in levels)
    return GroupMoments(zz, tuple(joined(a, _X) @ design.x_map for a in levels))


_X = -1  # the place of X among the levels


def _chunk(design: Layout, model: Model, start: int, stop: int) -> list[Block]:
    """Blocks of the groups of a chunk of rows, for each level."""
    inside = [between(starts, start, stop) for starts in design.starts]
    if not inside:
        return []
    cells = base_moments(design, model, start, stop, inside[-1], derivatives=False)
    absorbed: list[Array] = []
    for a in reversed(range(len(inside))):
        every = np.arange(cells.F0.shape[-1])
        F0 = absorb(cells, design.z[a], model.D[a], model.E[a][:0], _all(cells), every).F0
        absorbed.insert(0, F0)
        if a:
            firsts = np.searchsorted(inside[a], inside[a - 1])
            cells = without_parameters(np.add.reduceat(F0, firsts, axis=-1), 0.0)
    columns = {_X: list(design.x), **{a: list(z) for a, z in enumerate(design.z)}}
    blocks = [
        {b: F0[np.ix_(columns[a], columns[b])] for b in range(_X, a + 1)}
        for a, F0 in enumerate(absorbed)
    ]
    for outer in reversed(range(len(inside) - 1)):
        _carry_in(blocks, outer, model.D[outer], inside)
    return blocks


def _all(cells: Moments) -> list[int]:
    return list(range(len(cells.F0)))


def _carry_in(blocks: list[Block], outer: int, D: Array, inside: list[Array]) -> None:
    """Add the random effects of the level ``outer`` to the V of the levels inside it.

    V⁻¹ becomes V⁻¹ − V⁻¹Z_oK Z_o'V⁻¹, and K Z_o'V⁻¹ = D Z_o'V⁻¹ with the new V.
    """
    for a in range(outer + 1, len(blocks)):
        SD = np.einsum("iom,ov->ivm", blocks[a][outer], D)
        for b in range(_X, a + 1):
            other = blocks[outer][b] if b <= outer else blocks[b][outer].swapaxes(0, 1)
            group = _group_of(inside, a, max(b, outer))
            blocks[a][b] = blocks[a][b] - np.einsum("ivm,vjm->ijm", SD, other[..., group])


def _group_of(inside: list[Array], a: int, b: int) -> Array:
    """The group of level b ≤ a in which each group of level a lies."""
    return np.asarray(np.searchsorted(inside[b], inside[a], side="right") - 1)
