"""The same fit without one of its random effects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..parameters import block_positions
from ..snapshot import FitSnapshot, PdBlock, RandomLevel


def without_effect(snapshot: FitSnapshot, level: int, effect: int) -> FitSnapshot:
    """Drop a random effect, with all that share its variance (pdIdent, pdCompSymm).

    Parameters
    ----------
    level, effect : int
        Positions among ``snapshot.levels`` and its ``names``.
    """
    kept = _without(snapshot.levels[level], effect)
    levels = (*snapshot.levels[:level], *([kept] if kept else []), *snapshot.levels[level + 1 :])
    fitted = snapshot.fitted[:, : 1 + len(levels)]
    return replace(snapshot, levels=levels, fitted=fitted)


def _without(level: RandomLevel, effect: int) -> RandomLevel | None:
    blocks: list[PdBlock] = []
    for block in level.blocks:
        there = block_positions(level.group, level.names, block)
        if effect not in there:
            blocks.append(block)
        elif block.pd_class not in ("pdIdent", "pdCompSymm") and len(there) > 1:
            names = tuple(name for name in block.names if name != level.names[effect])
            blocks.append(replace(block, names=names))
    left = {name for block in blocks for name in block.names}
    at = np.array([k for k, name in enumerate(level.names) if name in left], dtype=int)
    if not len(at):
        return None
    return replace(
        level,
        blocks=tuple(blocks),
        names=tuple(level.names[k] for k in at),
        Z=level.Z[:, at],
        D=level.D[np.ix_(at, at)],
        b=level.b[:, at],
    )
