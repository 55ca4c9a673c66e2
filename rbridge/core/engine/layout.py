"""The design of a fit laid out for absorption: distinct columns, nested groups, chunks of rows."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations_with_replacement

import numpy as np

from ...errors import InformationError
from ..arrays import Array, group_starts, leaving
from ..snapshot import CorStruct, FitSnapshot, VarFunc
from .correlation import is_markov
from .covariance import Rows
from .groups import GroupSums
from .patterns import Alike, UnitSums, repeated_units

Columns = Array | Sequence[Array]  # (k, n)
CHUNK = 65_536  # rows at a time: a few columns of them fit the cache
_MOST_STRATA = 16
CELLS = 4_096  # innermost groups at a time, likewise, where their rows are summed already
_LARGEST_BLOCK = 2**25 - 2**16  # bytes that glibc still takes from its own heap


class NotNested(Exception):
    """The groups do not nest, so levels cannot be absorbed one after another."""


@dataclass(frozen=True)
class Strata:
    """Rows whose residual variance is the same whatever the coefficients are.

    Attributes
    ----------
    codes : (n,) int array
    first : (s,) int array
        A row of each stratum.
    """

    codes: Array
    first: Array


@dataclass(frozen=True)
class Layout:
    """B = [Z_inner … Z_outer, X, r] without repetition, and where the groups begin.

    A column that serves twice (the 1 of a random and of the fixed intercept) is kept once.

    Attributes
    ----------
    columns : tuple of (n,) arrays
        The k distinct columns.
    z : tuple of tuple of int
        Columns of each level's Z, outermost level first.
    x : tuple of int
    x_map : (p, p) array
        The model's X is these columns times ``x_map``; the identity unless X was orthonormalised.
    y : int or None
        The column r = y − Xβ of residuals; any β serves, for β is eliminated. None where only the
        design is asked.
    starts : tuple of (m,) int arrays
        First row of each group of each level, outermost first.
    cor_starts : (m,) int array
        First row of each correlation group.
    order : (n,) int array or None
        Rows in order of time within each correlation group, where they are not so already.
    alike : tuple of Alike, or None
        Where V is the same matrix in many units, but for the one model with a form of its own:
        one level and independent residuals of one variance.
    strata : Strata or None
        Else, where residuals are uncorrelated and of a few variances only.
    """

    columns: tuple[Array, ...]
    z: tuple[tuple[int, ...], ...]
    x: tuple[int, ...]
    x_map: Array
    y: int | None
    starts: tuple[Array, ...]
    cor_starts: Array
    order: Array | None
    alike: tuple[Alike, ...] | None = None
    strata: Strata | None = None

    @property
    def n(self) -> int:
        return len(self.columns[-1])

    def chunks(self, arrays: int = 1) -> Iterator[tuple[int, int]]:
        """Ranges of rows that cut no group, of about ``CHUNK / arrays`` rows where groups allow."""
        units = self.starts[0] if self.starts else self.cor_starts
        wanted = np.arange(0, self.n, max(CHUNK // arrays, 1))
        free = len(units) == 0  # no group at all: cut anywhere
        cuts = wanted if free else np.unique(units[np.searchsorted(units, wanted, "right") - 1])
        yield from zip(cuts.tolist(), [*cuts[1:].tolist(), self.n])

    def chunks_of_cells(self) -> Iterator[tuple[int, int]]:
        """As :meth:`chunks`, of about ``CELLS`` innermost groups; all rows where there is none."""
        if not self.starts:
            yield 0, self.n
            return
        outer, inner = self.starts[0], self.starts[-1]
        part = np.searchsorted(inner, outer) // CELLS
        cuts = outer[np.flatnonzero(np.diff(part, prepend=-1))].tolist()
        yield from zip(cuts, [*cuts[1:], self.n])

    @cached_property
    def cross(self) -> Array:
        """(k, k, m) B'B of each innermost group, of all rows where there is none."""
        cells = self.starts[-1] if self.starts else None
        if cells is None:
            return symmetric_sums(self.columns, self.columns, None)
        parts, ends = [], np.append(cells, self.n)
        for at in slices_of_cells(len(cells)):
            start, stop = ends[at.start], ends[at.stop]
            B = [column[start:stop] for column in self.columns]
            parts.append(symmetric_sums(B, B, cells[at] - start))
        return np.concatenate(parts, axis=-1)

    def cross_of_strata(self, start: int, stop: int) -> tuple[Array, Array]:
        """B'B of each stratum and cell among the rows ``start:stop``; how many rows, (s, m)."""
        cross, counts = self._cross_of_strata
        if not self.starts:
            return cross, counts
        first, last = np.searchsorted(self.starts[-1], (start, stop))
        return cross[..., first:last], counts[:, first:last]

    @cached_property
    def _cross_of_strata(self) -> tuple[Array, Array]:
        """(s, k, k, m) and (s, m), of all cells."""
        assert self.strata is not None
        cells = self.starts[-1] if self.starts else np.zeros(1, dtype=int)
        cell = np.repeat(np.arange(len(cells)), np.diff(np.append(cells, self.n)))
        k, s = len(self.columns), len(self.strata.first)
        cross, counts = np.zeros((s, k, k, len(cells))), np.zeros((s, len(cells)))
        for stratum in range(s):
            rows = np.flatnonzero(self.strata.codes == stratum)
            present = group_starts(cell[rows])
            B = np.stack([column[rows] for column in self.columns])
            at = cell[rows[present]]
            cross[stratum][..., at] = symmetric_sums(B, B, present)
            counts[stratum, at] = np.diff(np.append(present, len(rows)))
        return cross, counts

    @cached_property
    def groups(self) -> GroupSums:
        """Of the one level that there is."""
        return GroupSums.of(self.cross, self.z[0], self.needed(0))

    @cached_property
    def units(self) -> tuple[UnitSums, ...]:
        """Of the units that are alike, by their size."""
        assert self.alike is not None
        keep = self.needed(0)
        return tuple(UnitSums.of(a, self.columns, self.z, keep, self.starts) for a in self.alike)

    def cross_of(self, start: int, stop: int) -> Array:
        """:attr:`cross` of the innermost groups among the rows ``start:stop``."""
        if not self.starts:
            return self.cross
        first, last = np.searchsorted(self.starts[-1], (start, stop))
        return np.asarray(self.cross[..., first:last])

    def rows(self, start: int, stop: int) -> Rows:
        return slice(start, stop) if self.order is None else self.order[start:stop]

    def needed(self, level: int) -> tuple[int, ...]:
        """Columns still wanted when ``level`` and those inside it are absorbed."""
        outer = [column for z in self.z[:level] for column in z]
        y = () if self.y is None else (self.y,)
        return tuple(sorted({*outer, *self.x, *y}))


@lru_cache(maxsize=None)
def _keep_freed_memory() -> None:
    """Have glibc keep what an evaluation frees for the next one: a third of its time were faults.

    It gives back to the system what is larger than the largest block freed so far, 32 MB at most.
    """
    np.empty(_LARGEST_BLOCK, dtype=np.uint8)


_KEPT: dict[int, tuple[weakref.ref[FitSnapshot], Layout]] = {}  # by identity, while they live


def layout(snapshot: FitSnapshot, *, response: bool = True) -> Layout:
    """The layout of a fit's design, kept with the snapshot for the next evaluation.

    Parameters
    ----------
    response : bool
        False: the response may be left out, and is where the layout is not known already.

    Raises
    ------
    NotNested, InformationError
        As :func:`lay_out`.
    """
    known = _KEPT.get(id(snapshot))
    if known is not None and known[0]() is snapshot and (known[1].y is not None or not response):
        return known[1]
    _keep_freed_memory()
    found = lay_out(snapshot, response=response)
    _keep(snapshot, found)
    return found


def _keep(snapshot: FitSnapshot, found: Layout) -> None:
    _KEPT[id(snapshot)] = leaving(_KEPT, snapshot), found


def keep_for(snapshot: FitSnapshot, known: FitSnapshot) -> FitSnapshot:
    """``snapshot`` itself, which has the design of ``known``, and from now on its layout."""
    try:
        _keep(snapshot, layout(known))
    except NotNested:  # the dense path has no layout
        pass
    return snapshot


def lay_out(snapshot: FitSnapshot, *, response: bool = True) -> Layout:
    """Lay out the design of a fit, with or without the response.

    Raises
    ------
    NotNested
        A grouping cuts across another one; the message says which.
    InformationError
        The columns of X are linearly dependent.
    """
    starts = [group_starts(level.codes) for level in snapshot.levels]
    names = [level.group for level in snapshot.levels]
    cor = snapshot.cor
    cor_starts = np.empty(0, dtype=int) if cor is None else group_starts(cor.codes)
    nesting = [*starts, cor_starts] if cor else starts
    for i, (outer, inner) in enumerate(zip(nesting, nesting[1:])):
        if not np.isin(outer, inner, assume_unique=True).all():
            inside = [*names, "correlation"][i + 1]
            raise NotNested(f"the groups of {inside} cut across those of {names[i]}")
    groups = [[level.Z[:, j] for j in range(level.Z.shape[1])] for level in snapshot.levels]
    X, x_map = conditioned(snapshot.X)
    groups.append(list(X.T))
    response |= not snapshot.X.shape[1]  # some column must be left when all levels are absorbed
    groups.append([snapshot.y - snapshot.X @ snapshot.beta] if response else [])
    columns, (*z, x, y) = _distinct(groups, snapshot.n)
    order = _time_order(cor, cor_starts) if cor is not None and is_markov(cor) else None
    simple = cor is None and not snapshot.var and len(starts) < 2
    alike = None if simple else repeated_units(snapshot, starts, cor_starts, len(columns))
    cells = max(len(starts[-1]) if starts else 0, 1)
    apart = cor is None and alike is None
    strata = _strata(snapshot.var, cells * max(len(columns), 8)) if apart else None
    where = tuple(starts), cor_starts, order
    return Layout(
        tuple(columns), tuple(z), x, x_map, y[0] if response else None, *where, alike, strata
    )


def _strata(var: Sequence[VarFunc], size: int) -> Strata | None:
    """Strata of the rows, where the cross-products of each take less than four copies of the rows.

    ``size``: the number of cells times that of columns.
    """
    given = [x for v in var for x in (v.codes, v.covariate) if x is not None]
    most = 4 * len(given[0]) // size if given else 0
    codes = np.zeros(0, dtype=int)
    for column in given:
        if len(np.unique(column[: 2 * _MOST_STRATA])) > min(most, _MOST_STRATA):
            return None
        inverse = np.unique(column, return_inverse=True)[1].reshape(-1)
        codes = codes * (inverse.max() + 1) + inverse if len(codes) else inverse
    distinct, first, codes = np.unique(codes, return_index=True, return_inverse=True)
    few = 0 < len(distinct) <= min(most, _MOST_STRATA)
    return Strata(codes.reshape(-1), first) if few else None


def conditioned(X: Array) -> tuple[Array, Array]:
    """X as it is, or orthonormal columns Q of the same span where X'X is ill-conditioned.

    Also the upper triangular T with X = QT, the identity in the first case.
    """
    X = np.asarray(X, dtype=float)
    cross = X.T @ X
    lengths = np.sqrt(np.diagonal(cross))
    if not (lengths > 0).all():
        raise InformationError("the fixed-effects design is singular")
    if not len(lengths) or np.linalg.cond(cross / np.outer(lengths, lengths)) < 1e5:
        return X, np.eye(len(lengths))
    Q, T = np.linalg.qr(X / lengths)
    if np.abs(np.diagonal(T)).min() < 1e-12:
        raise InformationError("the fixed-effects design is singular")
    return Q, T * lengths


def map_log_det(x_map: Array) -> float:
    """log det T'T: log det X'V⁻¹X = log det Q'V⁻¹Q + log det T'T. All else is the same for both."""
    return 2 * float(np.log(np.abs(np.diagonal(x_map))).sum())


def _time_order(cor: CorStruct, starts: Array) -> Array | None:
    """Rows by time within the correlation groups; None where they are in that order."""
    gaps = np.diff(cor.covariate[:, 0])
    gaps[starts[1:] - 1] = 1
    return None if (gaps >= 0).all() else np.lexsort((cor.covariate[:, 0], cor.codes))


def _distinct(groups: list[list[Array]], n: int) -> tuple[list[Array], list[tuple[int, ...]]]:
    """The distinct columns (n,) of several groups, as floats, and where each column went."""
    kept: list[Array] = []
    seen: dict[bytes, list[int]] = {}
    probe = np.linspace(0, n - 1, 16).astype(int)

    def place(column: Array) -> int:
        column = np.asarray(column, dtype=float)
        candidates = seen.setdefault(column[probe].tobytes(), [])
        for i in candidates:
            if np.array_equal(kept[i], column):
                return i
        kept.append(column)
        candidates.append(len(kept) - 1)
        return len(kept) - 1

    return kept, [tuple(place(column) for column in group) for group in groups]


def slices_of_cells(m: int) -> Iterator[slice]:
    """The m innermost groups, ``CELLS`` at a time."""
    return (slice(start, min(start + CELLS, m)) for start in range(0, m, CELLS))


def symmetric_sums(X: Columns, Y: Columns, cells: Array | None) -> Array:
    """Σ over the rows of each cell of x y', known to be symmetric: two (k, n) to (k, k, m)."""
    k = len(X)
    if cells is None:
        out = np.empty((k, k, 1))
        for i, j in combinations_with_replacement(range(k), 2):
            out[i, j] = out[j, i] = X[i] @ Y[j]
        return out
    out = np.empty((k, k, len(cells)))
    size = even_size(cells, len(X[0])) if k else 0
    for i, j in combinations_with_replacement(range(k), 2):
        if size:  # in one pass
            x, y = X[i].reshape(-1, size), Y[j].reshape(-1, size)
            out[i, j] = out[j, i] = np.einsum("ms,ms->m", x, y)
        else:
            out[i, j] = out[j, i] = np.add.reduceat(X[i] * Y[j], cells)
    return out


def even_size(cells: Array, n: int) -> int:
    """Rows of every cell where all have as many; 0 where they have not."""
    size = n // len(cells)
    return size if np.array_equal(cells, np.arange(0, n, size)) else 0


def between(starts: Array, start: int, stop: int) -> Array:
    """The group starts in ``start:stop``, counted from ``start``."""
    first, last = np.searchsorted(starts, (start, stop))
    return np.asarray(starts[first:last] - start)
