"""What tests of terms test: type I, II and III hypotheses, and nlme's marginal ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from math import prod

import numpy as np
from scipy.linalg import null_space, solve_triangular

from ...errors import SpecError
from ..arrays import Array
from ..snapshot import FitSnapshot, FixedTerms
from ..terms import design_rows
from .hypothesis import independent_rows

_RANK = 1e-9  # of singular values of parts of an orthonormal basis


@dataclass(frozen=True)
class TermHypothesis:
    """Lβ = 0 for a term.

    Attributes
    ----------
    label : str
    L : (q, p) array
        No row where nothing about the term can be estimated.
    """

    label: str
    L: Array


def design_root(snapshot: FitSnapshot) -> Array:
    """Upper triangular (p, p) R with R'R = X'X: hypotheses that SAS and lmerTest take."""
    return _triangle(snapshot.X)


def weighted_root(vcov: Array) -> Array:
    """Upper triangular (p, p) R with R'R = vcov⁻¹ ∝ X'V⁻¹X: hypotheses that nlme takes."""
    scale = np.sqrt(np.diagonal(vcov))
    reversed_ = (vcov / np.outer(scale, scale))[::-1, ::-1]
    upper = np.linalg.cholesky(reversed_)[::-1, ::-1]  # vcov = (scale upper)(scale upper)'
    return np.asarray(solve_triangular(upper, np.diag(1 / scale)))


def type_one(terms: FixedTerms, root: Array) -> list[TermHypothesis]:
    """Sequential hypotheses: each term after those before it, the intercept first.

    Parameters
    ----------
    terms : FixedTerms
    root : (p, p) array
        :func:`design_root` or :func:`weighted_root`; in balanced data they say the same.

    Notes
    -----
    The rows of the unit upper triangular factor of X'X, forward Doolittle.
    """
    rows = _doolittle(root)
    return [
        TermHypothesis(label, rows[terms.assign == number])
        for number, label in _numbered(terms)
        if (terms.assign == number).any()
    ]


def type_two(terms: FixedTerms, root: Array) -> list[TermHypothesis]:
    """Each term after all that do not contain it.

    One term contains another if it has all its factors and more, and the same numeric variables.

    Parameters
    ----------
    terms : FixedTerms
    root : (p, p) array
        As in :func:`type_one`.
    """
    p = len(root)
    found = []
    for number, label in _numbered(terms)[1:]:
        own = np.flatnonzero(terms.assign == number)
        inside = np.flatnonzero(np.isin(terms.assign, _containing(terms, number - 1)))
        order = np.concatenate([np.setdiff1d(np.arange(p), [*own, *inside]), own, inside])
        rows = _doolittle(_triangle(root[:, order])) if len(inside) else np.eye(p)
        L = np.zeros((len(own), p))
        L[:, order] = rows[p - len(own) - len(inside) : p - len(inside)]
        found.append(TermHypothesis(label, L))
    return found


def type_three(terms: FixedTerms) -> list[TermHypothesis]:
    """SAS's type III hypotheses, whatever contrasts the factors have.

    Parameters
    ----------
    terms : FixedTerms

    Returns
    -------
    list of TermHypothesis
        In every one the rows are differences from the first level, as far as they can be
        estimated.

    Raises
    ------
    SpecError
        The contrasts of a factor have fewer columns than it has levels less one: then the terms
        of the model are not those of its factors.

    Notes
    -----
    Of the estimable functions of the model with a column for each level: those that involve only
    the term and terms that contain it, orthogonal to those that involve the containing terms only.

    References
    ----------
    Goodnight (1980), Communications in Statistics: Theory and Methods 9, 167–180; SAS/STAT User's
    Guide, The Four Types of Estimable Functions.
    """
    basis, into, treatment = _estimable_space(terms)
    owner = _owners(_full(terms))
    found = []
    for number, label in _numbered(terms)[1:]:
        inside = _containing(terms, number - 1)
        foreign = ~np.isin(owner, [number, *inside])
        allowed = null_space(basis[:, foreign].T, rcond=_RANK)
        if inside:
            above = null_space(basis[:, foreign | (owner == number)].T, rcond=_RANK)
            allowed = allowed @ null_space(above.T @ allowed, rcond=_RANK)
        functions = allowed.T @ basis
        found.append(TermHypothesis(label, _tidy(functions, into, treatment, terms, number)))
    return found


def marginal(terms: FixedTerms) -> list[TermHypothesis]:
    """nlme's marginal hypotheses: the coefficients of each term, as they are coded, are zero."""
    eye = np.eye(len(terms.assign))
    return [
        TermHypothesis(label, eye[terms.assign == number])
        for number, label in _numbered(terms)
        if (terms.assign == number).any()
    ]


def empty_cells(terms: FixedTerms) -> dict[str, list[tuple[str, ...]]]:
    """Combinations of levels without a row, for each term of several factors that has any.

    Returns
    -------
    dict of label to list of tuples
        The levels in the order of the term's factors.
    """
    factors = [i for i, variable in enumerate(terms.variables) if variable.levels]
    found: dict[str, list[tuple[str, ...]]] = {}
    for label, codings in zip(terms.labels, terms.factors.T):
        mine = [place for place, i in enumerate(factors) if codings[i]]
        if len(mine) < 2:
            continue
        levels = [terms.variables[factors[place]].levels for place in mine]
        seen = set(map(tuple, terms.cells[:, mine].tolist()))
        codes = product(*(range(len(names)) for names in levels))
        empty = [c for c in codes if c not in seen]
        if empty:
            found[label] = [tuple(names[k] for names, k in zip(levels, c)) for c in empty]
    return found


def _numbered(terms: FixedTerms) -> list[tuple[int, str]]:
    return list(enumerate(["(Intercept)", *terms.labels]))


def _triangle(X: Array) -> Array:
    """Upper triangular R with R'R = X'X."""
    return np.asarray(np.linalg.qr(X)[1])


def _doolittle(root: Array) -> Array:
    return np.asarray(root / np.diagonal(root)[:, None])


def _containing(terms: FixedTerms, term: int) -> list[int]:
    """Numbers, from 1, of the terms that contain this one."""
    numeric = np.array([not variable.levels for variable in terms.variables], dtype=bool)
    present = terms.factors > 0
    mine = present[:, term]
    return [
        other + 1
        for other, theirs in enumerate(present.T)
        if other != term and (theirs[numeric] == mine[numeric]).all() and (theirs >= mine).all()
    ]


def _full(terms: FixedTerms) -> FixedTerms:
    """The same terms with a column for each combination of levels."""
    return replace(terms, factors=np.where(terms.factors > 0, 2, 0))


def kept_columns(terms: FixedTerms) -> Array:
    """Which columns of the terms the coefficients stand for, a (p,) int array.

    Others follow from columns before them where cells are empty, and have no coefficient.

    Raises
    ------
    SpecError
        The coefficients are not those of the terms.
    """
    columns = design_rows(terms, _typical_values(terms)).T
    lengths = np.linalg.norm(columns, axis=1, keepdims=True)
    kept = independent_rows(columns / np.where(lengths > 0, lengths, 1.0))
    if not np.array_equal(_owners(terms)[kept], terms.assign):
        raise SpecError(
            f"the terms give {len(kept)} coefficients, and the fit has {len(terms.assign)}"
        )
    return np.array(kept, dtype=int)


def on_coefficients(terms: FixedTerms, rows: Array) -> tuple[Array, Array]:
    """Rows over all columns of the terms as rows over the coefficients.

    Parameters
    ----------
    rows : (q, P) array
        As :func:`~rbridge.core.terms.design_rows` gives them.

    Returns
    -------
    L : (q, p) array
    estimable : (q,) bool array
        False where the row depends on what empty cells leave open.
    """
    columns = design_rows(terms, _typical_values(terms))
    scale = np.abs(columns).max(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    open_ = null_space(columns / scale, rcond=_RANK)
    left = np.abs(rows * scale @ open_).max(axis=1, initial=0.0)
    size = np.linalg.norm(rows * scale, axis=1)
    return rows[:, kept_columns(terms)], left <= 1e-8 * size


def _owners(terms: FixedTerms) -> Array:
    """The term of each of the P columns that :func:`~rbridge.core.terms.design_rows` gives."""
    widths = [
        prod(
            len(v.levels) if coding == 2 and v.levels else v.width
            for v, coding in zip(terms.variables, codings)
            if coding
        )
        for codings in terms.factors.T
    ]
    intercept = [0] if (terms.assign == 0).any() else []
    return np.concatenate([intercept, np.repeat(np.arange(len(widths)) + 1, widths)]).astype(int)


def _estimable_space(terms: FixedTerms) -> tuple[Array, Array, Array]:
    """Orthonormal estimable functions of the P full columns, (p, P), and two maps (P, p).

    The maps turn a function into one of the fit's coefficients and one of treatment contrasts.
    """
    values, treated = _typical_values(terms), _treatment(terms)
    p = len(terms.assign)
    U, s, Vt = np.linalg.svd(design_rows(_full(terms), values), full_matrices=False)
    rank = int((s > _RANK * s[0]).sum())
    if rank != p:
        raise SpecError(_wrong_rank(terms, rank, p))
    inverse = Vt[:p].T / s[:p] @ U[:, :p].T
    coded = design_rows(terms, values)[:, kept_columns(terms)]
    treatment = design_rows(treated, values)[:, kept_columns(treated)]
    return Vt[:p], inverse @ coded, inverse @ treatment


def _typical_values(terms: FixedTerms) -> list[Array]:
    """Values of the variables in rows that span the design."""
    numeric = np.array([not variable.levels for variable in terms.variables], dtype=bool)
    widths = np.array([variable.width for variable in terms.variables], dtype=int)
    sets = {tuple(np.flatnonzero((codings > 0) & numeric)) for codings in terms.factors.T}
    times = 1 + sum(int(widths[list(s)].prod()) for s in sets if s)
    cells = terms.cells if len(terms.cells) else np.zeros((1, 0), dtype=int)
    rows = np.repeat(cells, times, axis=0)
    codes, draw = iter(rows.T), np.random.default_rng(0).standard_normal
    return [
        next(codes) if variable.levels else draw((len(rows), variable.width))
        for variable in terms.variables
    ]


def _treatment(terms: FixedTerms) -> FixedTerms:
    """The same terms with treatment contrasts, the first level the reference."""
    variables = tuple(
        replace(v, contrasts=np.eye(len(v.levels))[:, 1:]) if v.levels else v
        for v in terms.variables
    )
    return replace(terms, variables=variables)


def _wrong_rank(terms: FixedTerms, rank: int, p: int) -> str:
    short = [v.name for v in terms.variables if v.levels and len(v.contrasts.T) < len(v.levels) - 1]
    if short:
        return (
            f"the contrasts of {', '.join(short)} have fewer columns than levels less one, so that "
            "type III tests do not exist: use type='marginal'"
        )
    return f"the terms have {rank} columns of information, the fit has {p} coefficients"


def _tidy(functions: Array, into: Array, treatment: Array, terms: FixedTerms, number: int) -> Array:
    """Functions (q, P) as rows on the coefficients: differences from the first level."""
    L = functions @ into
    own = (functions @ treatment)[:, terms.assign == number]
    if own.shape[0] == own.shape[1] and np.linalg.matrix_rank(own, tol=_RANK) == len(own):
        L = np.linalg.solve(own, L)
    return np.where(np.abs(L) > 1e-12 * np.abs(L).max(initial=0.0), L, 0.0)
