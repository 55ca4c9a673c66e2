"""Units of rows whose V is one and the same matrix, whatever θ is.

A unit is a group of the outermost level, else of the correlation structure, else a row. Balanced
data have units of one pattern; visits that some subjects miss make a few more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Array
from ..snapshot import FitSnapshot

WIDEST = 48  # rows of a unit: V is inverted as it is
_LARGEST = 1  # elements of the V's of all patterns, per row
_COPIES = 4  # of the data, in their sums
_MOST_TYPES = 256  # of rows
_PROBE = 4 * _MOST_TYPES  # rows that say at once that nothing repeats
_ROWS = 65_536  # at a time
BY_INDEX = ("corSymm", "corNatural")  # the others see differences of their covariate only


@dataclass(frozen=True)
class Alike:
    """The units of s rows.

    Attributes
    ----------
    rows : (m, s) int array
        Of each unit, in one order for all units of a pattern.
    pattern : (m,) int array
        0 … P − 1.
    first : (P,) int array
        A unit of each pattern.
    """

    rows: Array
    pattern: Array
    first: Array

    @property
    def counts(self) -> Array:
        """(P,) how many units."""
        return np.bincount(self.pattern).astype(float)


def repeated_units(
    snapshot: FitSnapshot, starts: Sequence[Array], cor_starts: Array, k: int
) -> tuple[Alike, ...] | None:
    """The units by their size; None where their patterns are many.

    That is, where the V's of all patterns have more elements than y, or their sums would take more
    than four copies of the data.

    Parameters
    ----------
    starts : sequence of (m,) int arrays
        First row of each group of each level, outermost first.
    cor_starts : (m,) int array
        First row of each correlation group.
    k : int
        Number of columns.
    """
    n = snapshot.n
    units = starts[0] if starts else cor_starts if snapshot.cor else np.arange(n)
    sizes = np.diff(np.append(units, n))
    if sizes.max() > WIDEST:
        return None
    types = _codes(_decisive(snapshot, units, cor_starts), n, _MOST_TYPES)
    if types is None:
        return None
    order = np.argsort(np.repeat(units, sizes) * _MOST_TYPES + types, kind="stable")
    found, elements = [], 0
    for s in np.unique(sizes):
        rows = order[units[sizes == s][:, None] + np.arange(s)]
        pattern = _codes(types[rows].T, len(rows), len(rows))
        assert pattern is not None
        found.append(Alike(rows, pattern, np.unique(pattern, return_index=True)[1]))
        elements += len(found[-1].first) * int(s) ** 2
    few = elements * max(k / _COPIES, 1) <= _LARGEST * n
    return tuple(found) if few else None


def _decisive(snapshot: FitSnapshot, units: Array, cor_starts: Array) -> Iterator[Array]:
    """The columns that decide on V, row by row; within a unit, or a correlation group, from 0."""
    for level in snapshot.levels:
        yield from level.Z.T
    for component in snapshot.var:
        yield from (x for x in (component.covariate, component.codes) if x is not None)
    for level in snapshot.levels[1:]:
        yield _from_least(level.codes, units)
    if (cor := snapshot.cor) is None:
        return
    yield _from_least(cor.codes, units)
    if cor.cor_class in BY_INDEX:
        yield cor.covariate[:, 0]
    elif cor.cor_class != "corCompSymm":
        yield from (_from_least(x, cor_starts) for x in cor.covariate.T)


def _from_least(values: Array, starts: Array) -> Array:
    least = np.minimum.reduceat(values, starts)
    return np.asarray(values - np.repeat(least, np.diff(np.append(starts, len(values)))))


def _codes(columns: Iterable[Array], n: int, most: int) -> Array | None:
    """(n,) number of each row among the distinct rows; None where they are more than ``most``."""
    codes = np.zeros(n, dtype=int)
    for column in columns:
        if (column == column[0]).all():
            continue
        if len(np.unique(column[:_PROBE])) > most:
            return None
        values, inverse = np.unique(column, return_inverse=True)
        if codes.any():
            joint = codes * len(values) + inverse.reshape(-1)
            values, inverse = np.unique(joint, return_inverse=True)
        codes = inverse.reshape(-1)
        if len(values) > most:
            return None
    return codes


@dataclass(frozen=True)
class UnitSums:
    """What the units of s rows say, in coordinates in which the random effects come first.

    Attributes
    ----------
    rows : (P, s) int array
        Of a unit of each pattern.
    counts : (P,) array
        How many units.
    Q : (P, s, s) array
        Orthogonal: Q' turns rows into these coordinates.
    Z : tuple of (P, s, g, q) arrays
        Q'Z of each level for its g groups in a unit: below its rank zeros, without rounding.
    cross : (P s², k²) array
        Σ over the units of b_i b_j', b_i being row i of Q'B.
    """

    rows: Array
    counts: Array
    Q: Array
    Z: tuple[Array, ...]
    cross: Array

    @classmethod
    def of(
        cls,
        alike: Alike,
        columns: Sequence[Array],
        z: Sequence[Sequence[int]],
        keep: Sequence[int],
        starts: Sequence[Array],
    ) -> UnitSums:
        """From the distinct columns, which are Z, which are B, and where the groups begin."""
        rows = alike.rows[alike.first]
        apart = [_by_group(columns, *level, rows) for level in zip(z, starts)]
        P, s = rows.shape
        Q, turned = np.broadcast_to(np.eye(s), (P, s, s)), np.zeros((P, s, 0))
        if apart:
            wide = np.concatenate([Z.reshape(P, s, -1) for Z in apart], axis=-1)
            Q, turned = np.linalg.qr(wide, mode="complete")
        ends = np.cumsum([0, *(Z.shape[2] * Z.shape[3] for Z in apart)])
        Zs = [turned[..., a:b].reshape(Z.shape) for a, b, Z in zip(ends, ends[1:], apart)]
        known = {c: Z[..., j].sum(axis=-1) for level, Z in zip(z, Zs) for j, c in enumerate(level)}
        cross = [
            _cross(
                [columns[c] for c in keep],
                alike.rows[alike.pattern == p],
                Q[p],
                {i: known[c][p] for i, c in enumerate(keep) if c in known},
            )
            for p in range(P)
        ]
        return cls(rows, alike.counts, Q, tuple(Zs), np.concatenate(cross))


def _by_group(columns: Sequence[Array], z: Sequence[int], starts: Array, rows: Array) -> Array:
    """(P, s, g, q) Z of one level, a block of columns for each of its groups in a unit."""
    group = np.searchsorted(starts, rows, side="right")
    group -= group.min(axis=1, keepdims=True)
    member = group[..., None] == np.arange(group.max() + 1)
    Z = np.stack([columns[c][rows] for c in z], axis=-1)
    return np.asarray(member[..., None] * Z[..., None, :])


def _cross(columns: Sequence[Array], rows: Array, Q: Array, known: dict[int, Array]) -> Array:
    """(s², k²) of the (m, s) ``rows``; ``known`` are columns that are the same in every unit."""
    k, (m, s) = len(columns), rows.shape
    own = [i for i in range(k) if i not in known]
    places = [slice(1 + j * s, 1 + (j + 1) * s) for j in range(len(own))]
    total = np.zeros((1 + len(own) * s,) * 2)  # of 1 and the columns that differ
    for start in range(0, m, max(_ROWS // s, 1)):
        part = rows[start : start + max(_ROWS // s, 1)]
        flat = np.ones((len(part), len(total)))
        for i, place in zip(own, places):
            flat[:, place] = columns[i][part] @ Q
        total += flat.T @ flat
    back = np.zeros((len(total), k, s))  # all columns from these
    for i, values in known.items():
        back[0, i] = values
    for i, place in zip(own, places):
        back[place, i] = np.eye(s)
    back = back.reshape(len(total), k * s)
    whole = back.T @ total @ back
    return np.asarray(whole.reshape(k, s, k, s).transpose(1, 3, 0, 2).reshape(s * s, k * k))
