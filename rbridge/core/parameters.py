"""The order and the names of the parameters, and the way from nlme's coding to them.

θ, the natural parameters, in lmeInfo's order: the elements of each level's D (outermost level
first), the coefficients of the correlation structure, those of the variance function, σ².
u, nlme's unconstrained ``Pars``: levels innermost first, correlation, variance, log σ.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..errors import SnapshotError
from .arrays import Array, lasting
from .derivatives import complex_step
from .snapshot import ApVar, CorStruct, FitSnapshot, PdBlock, RandomLevel
from .unconstrained import (
    cor_kinds,
    cor_natural,
    cor_unconstrained,
    pd_class,
    pd_matrix,
    pd_unconstrained,
    var_kinds,
    var_natural,
    var_unconstrained,
    vech,
)

_MOST_BASES = 256  # kept; a program has few models and each few levels


@dataclass(frozen=True)
class Theta:
    """The natural parameters.

    Attributes
    ----------
    names : tuple of str, length r
        As ``rownames(varcomp_vcov(fit))`` in lmeInfo.
    values : (r,) array
    kinds : tuple of str, length r
        The range of each: ``variance`` and ``scale`` are positive, ``correlation`` lies in
        (−1, 1), ``proportion`` in (0, 1), ``covariance`` and ``coefficient`` are free.
    """

    names: tuple[str, ...]
    values: Array
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Parts:
    """A vector of parameters cut into its parts; ``levels`` has an array per block."""

    levels: tuple[tuple[Array, ...], ...]
    cor: Array
    var: tuple[Array, ...]
    sigma: Array


# --- the elements of D ----------------------------------------------------------------------


def block_positions(group: str, names: tuple[str, ...], block: PdBlock) -> list[int]:
    """Where the random effects of ``block`` stand among the ``names`` of its level."""
    missing = set(block.names) - set(names)
    if missing:
        raise SnapshotError(f"{group}: {sorted(missing)} are no random effects of the level")
    return [names.index(name) for name in block.names]


def block_labels(block: PdBlock) -> list[str]:
    """Labels of one block's elements of D: ``var(a)``, ``cov(b,a)`` …

    One parameter for several random effects is labelled by the block's formula.
    """
    names, q = block.names, len(block.names)
    if block.pd_class == "pdIdent":
        return [f"var({names[0] if q == 1 else block.formula})"]
    if block.pd_class == "pdCompSymm":
        return [f"var({block.formula})", f"cov({block.formula})"]
    if block.pd_class == "pdDiag":
        return [f"var({name})" for name in names]
    return [
        f"var({names[i]})" if i == j else f"cov({names[j]},{names[i]})" for i, j in zip(*vech(q))
    ]


@lru_cache(maxsize=_MOST_BASES)
def block_basis(block: PdBlock) -> Array:
    """The (n_e, q, q) matrices E with D = Σ θ_e E_e of one block, in the order of its labels."""
    q = len(block.names)
    eye = np.eye(q)
    if block.pd_class == "pdIdent":
        return lasting(eye[None])
    if block.pd_class == "pdCompSymm":
        return lasting(np.stack([eye, 1 - eye]))
    if block.pd_class == "pdDiag":
        return lasting(np.stack([np.outer(row, row) for row in eye]))
    pairs = [np.outer(eye[i], eye[j]) for i, j in zip(*vech(q))]
    return lasting(np.stack([np.maximum(pair, pair.T) for pair in pairs]))


def tau_basis(level: RandomLevel) -> tuple[tuple[str, ...], Array]:
    """Labels of a level's variance components and the matrices that they multiply.

    Every class is linear in its natural parameters: D = Σ_e θ_e E_e.

    Returns
    -------
    labels : tuple of str, length n_e
        ``Tau.<group>.var(<effect>)``, ``Tau.<group>.cov(<later>,<earlier>)``.
    E : (n_e, q, q) array
        Zeros and ones; no two of the matrices overlap.
    """
    return _basis(level.group, level.names, level.blocks)[:2]


@lru_cache(maxsize=_MOST_BASES)
def _basis(
    group: str, names: tuple[str, ...], blocks: tuple[PdBlock, ...]
) -> tuple[tuple[str, ...], Array, tuple[str, ...]]:
    """:func:`tau_basis` and the kinds, made once for all levels that are named alike."""
    labels: list[str] = []
    basis = []
    q = len(names)
    for block in blocks:
        pd_class(block.pd_class)  # an unknown class must not pass for an unstructured one
        at = block_positions(group, names, block)
        small = block_basis(block)
        E = np.zeros((len(small), q, q))
        E[np.ix_(range(len(small)), at, at)] = small
        basis.append(E)
        labels += [f"Tau.{group}.{label}" for label in block_labels(block)]
    E = lasting(np.concatenate(basis))
    kinds = tuple("variance" if e.trace() else "covariance" for e in E)
    return tuple(labels), E, kinds


def _read(D: Array, E: Array) -> Array:
    """The θ_e in D = Σ θ_e E_e: D where E_e has its first one."""
    first = E.reshape(len(E), -1).argmax(axis=1)
    return np.asarray(D.reshape(-1)[first])


# --- θ ---------------------------------------------------------------------------------------


def _numbered(stem: str, n: int) -> list[str]:
    return [stem] if n == 1 else [f"{stem}{i + 1}" for i in range(n)]


def free_cor(snapshot: FitSnapshot) -> CorStruct | None:
    """The correlation structure, if its coefficients are parameters."""
    return snapshot.cor if snapshot.cor and not snapshot.cor.fixed else None


def _unique(names: list[str]) -> tuple[str, ...]:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise SnapshotError(f"two parameters have the same name: {', '.join(twice)}")
    return tuple(names)


def theta(snapshot: FitSnapshot) -> Theta:
    """Natural parameters of a fit, named and ordered as lmeInfo does.

    Elements of D are absolute, coefficients of the structures natural (not logged), the last
    is σ². Fixed coefficients, and σ² when σ is fixed, are no parameters.

    Raises
    ------
    SnapshotError
        Two parameters have the same name.
    """
    names: list[str] = []
    values: list[Array] = []
    kinds: list[str] = []
    for level in snapshot.levels:
        labels, E, ranges = _basis(level.group, level.names, level.blocks)
        names += labels
        values.append(_read(level.D, E))
        kinds += ranges
    if cor := free_cor(snapshot):
        names += _numbered("cor_params", len(cor.names))
        values.append(cor.values)
        kinds += cor_kinds(cor)
    for var in snapshot.var:
        values.append(var.values[var.free.astype(bool)])
        kinds += var_kinds(var)
    names += _numbered("var_params", sum(int(var.free.sum()) for var in snapshot.var))
    if not snapshot.fixed_sigma:
        names.append("sigma_sq")
        values.append(np.array([snapshot.sigma**2]))
        kinds.append("variance")
    return Theta(_unique(names), np.concatenate([np.empty(0), *values]), tuple(kinds))


def coefficient_names(snapshot: FitSnapshot) -> dict[str, str]:
    """nlme's names of the coefficients that θ only numbers: ``cor_params`` is ``Phi`` …"""
    cor = free_cor(snapshot)
    correlation = cor.names if cor else ()
    weights = [
        name for var in snapshot.var for name, free in zip(var.names, var.free.tolist()) if free
    ]
    labels = _numbered("cor_params", len(correlation)) + _numbered("var_params", len(weights))
    return dict(zip(labels, [*correlation, *weights]))


# --- u ---------------------------------------------------------------------------------------


def _expected(snapshot: FitSnapshot, order: int) -> list[tuple[str, int]]:
    """What a vector of parameters holds: a description and a length for each part."""
    cor = free_cor(snapshot)
    return [
        *(
            (f"{block.pd_class} of {level.group}", pd_class(block.pd_class).size(len(block.names)))
            for level in snapshot.levels[::order]
            for block in level.blocks
        ),
        (cor.cor_class, len(cor.names)) if cor else ("correlation", 0),
        *((f"{var.var_class} {var.tag}".strip(), int(var.free.sum())) for var in snapshot.var),
        ("sigma", int(not snapshot.fixed_sigma)),
    ]


def split(snapshot: FitSnapshot, vector: Array, *, inner_first: bool) -> Parts:
    """Cut a vector of parameters by position; the names of ``Pars`` are not unique in nlme.

    Parameters
    ----------
    vector : (r,) array, real or complex
    inner_first : bool
        The order of the levels: true for ``Pars``, false for θ.

    Returns
    -------
    Parts
        With the outermost level first.

    Raises
    ------
    SnapshotError
        The length is not that of the model's free parameters.
    """
    order = -1 if inner_first else 1
    expected = _expected(snapshot, order)
    sizes = [size for _, size in expected]
    if np.shape(vector) != (sum(sizes),):
        listed = ", ".join(f"{size} for {what}" for what, size in expected if size)
        what = f"parameters of shape {np.shape(vector)}"
        raise SnapshotError(f"{what}, expected {sum(sizes)} values: {listed}")
    pieces = iter(np.split(vector, np.cumsum(sizes)[:-1]))
    levels = [tuple(next(pieces) for _ in level.blocks) for level in snapshot.levels[::order]]
    cor = next(pieces)
    var = tuple(next(pieces) for _ in snapshot.var)
    return Parts(tuple(levels[::order]), cor, var, next(pieces))


def is_natural(snapshot: FitSnapshot) -> bool:
    """Whether unstructured matrices are coded as pdNatural: apVar's word, else nlme's default."""
    return snapshot.apvar.natural if isinstance(snapshot.apvar, ApVar) else True


def natural_from_unconstrained(snapshot: FitSnapshot, u: Array) -> Array:
    """The map from nlme's unconstrained parameters to the natural ones.

    Parameters
    ----------
    snapshot : FitSnapshot
        Says which structures there are; its estimates are not used.
    u : (r,) array, real or complex
        In the order of ``Pars``, coded as ``snapshot.apvar.natural`` says.

    Returns
    -------
    (r,) array
        In the order of :func:`theta`.

    Raises
    ------
    SnapshotError
        The length of ``u`` is not that of the model's free parameters.
    """
    parts = split(snapshot, u, inner_first=True)
    natural, cor = is_natural(snapshot), free_cor(snapshot)
    tau = [
        _read(pd_matrix(block.pd_class, piece, len(block.names), natural), block_basis(block))
        for level, pieces in zip(snapshot.levels, parts.levels)
        for block, piece in zip(level.blocks, pieces)
    ]
    correlation = cor_natural(cor, parts.cor, natural) if cor else parts.cor
    weights = [var_natural(var, piece) for var, piece in zip(snapshot.var, parts.var)]
    return np.concatenate([*tau, correlation, *weights, np.exp(2 * parts.sigma)])


def unconstrained_from_natural(snapshot: FitSnapshot, values: Array) -> Array:
    """Inverse of :func:`natural_from_unconstrained`: (r,) array in θ's order to Pars' order."""
    parts = split(snapshot, values, inner_first=False)
    natural, cor = is_natural(snapshot), free_cor(snapshot)
    coded = [
        pd_unconstrained(block.pd_class, np.tensordot(piece, block_basis(block), 1), natural)
        for level, pieces in zip(snapshot.levels[::-1], parts.levels[::-1])
        for block, piece in zip(level.blocks, pieces)
    ]
    correlation = cor_unconstrained(cor, parts.cor, natural) if cor else parts.cor
    weights = [var_unconstrained(var, piece) for var, piece in zip(snapshot.var, parts.var)]
    return np.concatenate([*coded, correlation, *weights, np.log(parts.sigma) / 2])


def jacobian(snapshot: FitSnapshot, u: Array) -> Array:
    """∂θ/∂u, an (r, r) array: rows in the order of :func:`theta`, columns in that of ``Pars``."""
    return complex_step(lambda point: natural_from_unconstrained(snapshot, point), u)
