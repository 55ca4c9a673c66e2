"""FitSnapshot: all that is known of a fit, as plain arrays. The contract between R and the core."""

from __future__ import annotations

import json
import weakref
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from typing import Any, BinaryIO

import numpy as np

from ..errors import FileError, NoFileError, SnapshotError
from ..files import written_whole
from .archive import UNREADABLE, check_size, decode, encode, read_array
from .arrays import Array, leaving

FORMAT = 1  # raised when a field changes its meaning; older files are then refused by name


_OWNED: dict[int, weakref.ref[Array]] = {}  # the arrays of all snapshots, by identity


def _own(obj: object, **shapes: tuple[int | None, ...]) -> None:
    """Replace the named array fields by owned read-only copies of the given shape.

    An array that another snapshot owns already is shared: nobody can write to it.
    """
    for name, shape in shapes.items():
        value = getattr(obj, name)
        if value is None:
            continue
        array = value if _is_owned(value) else np.array(value, order="F")
        if not array.size and array.ndim < len(shape):  # nested lists keep no width of no rows
            array = np.empty([n or 0 for n in shape], dtype=array.dtype)
        where = f"{type(obj).__name__}.{name}"
        if array.dtype.kind not in "fib":
            raise SnapshotError(f"{where} must be numeric, not {array.dtype}")
        wrong_length = any(n is not None and n != m for n, m in zip(shape, array.shape))
        if array.ndim != len(shape) or wrong_length:
            raise SnapshotError(f"{where} has shape {array.shape}, expected {shape}")
        array.flags.writeable = False
        _OWNED[id(array)] = leaving(_OWNED, array)
        object.__setattr__(obj, name, array)


def _is_owned(value: Any) -> bool:
    """Whether a snapshot made this very array, and it is still as it was made."""
    known = _OWNED.get(id(value))
    return known is not None and known() is value and not value.flags.writeable


def _are_positions(rows: Array) -> bool:
    """Whether they are distinct and none is negative."""
    if (rows < 0).any():
        return False
    if (rows[1:] > rows[:-1]).all():
        return True
    spread = int(rows.max()) < 16 * len(rows)  # else the counts would take too much memory
    return bool(np.bincount(rows).max() == 1) if spread else len(np.unique(rows)) == len(rows)


@dataclass(frozen=True)
class PdBlock:
    """One positive-definite matrix: its nlme class and the random effects it covers.

    ``formula`` is the right-hand side as R deparses it (``"Machine - 1"``).
    """

    pd_class: str
    names: tuple[str, ...]
    formula: str = ""


@dataclass(frozen=True)
class RandomLevel:
    """The random effects of one grouping level.

    Attributes
    ----------
    group : str
        Name of the grouping factor, made unique when one factor serves twice (``Dog.1``).
    blocks : tuple of PdBlock
        One block, or the several of a pdBlocked, in nlme's order.
    names : tuple of str, length q
        The random effects, in the order of the columns of ``Z``.
    Z : (n, q) array
        The design, rows in snapshot order.
    codes : (n,) int array
        Group of each row, 0 … m−1, non-decreasing.
    labels : tuple of str, length m
        nlme's label of each group (``"1/L"`` for a nested one).
    D : (q, q) array
        Covariance matrix of the random effects, absolute (not relative to σ²).
    b : (m, q) array
        Predicted random effects (BLUPs), as ``nlme::ranef``.
    """

    group: str
    blocks: tuple[PdBlock, ...]
    names: tuple[str, ...]
    Z: Array
    codes: Array
    labels: tuple[str, ...]
    D: Array
    b: Array

    def __post_init__(self) -> None:
        q, m = len(self.names), len(self.labels)
        _own(self, Z=(None, q), codes=(len(self.Z),), D=(q, q), b=(m, q))


@dataclass(frozen=True)
class CorStruct:
    """The within-group correlation structure, after nlme's ``Initialize``.

    Attributes
    ----------
    cor_class : str
        nlme's class after Initialize: a gap-free ``corARMA(p=1)`` is ``corAR1``, and so on.
    names : tuple of str
        nlme's names of the natural coefficients (``Phi``, ``range``, ``cor(1,2)`` …).
    values : (k,) array
        Natural coefficients.
    fixed : bool
        Held fixed by the user: not parameters.
    codes : (n,) int array
        Correlation group of each row, non-decreasing.
    covariate : (n, d) array
        Position, time or coordinates of each row; ``corSymm``: index into the
        correlation matrix, from 0.
    p, q : int
        Orders of a ``corARMA``.
    size : int
        Largest correlation matrix of a ``corSymm`` (rows), or largest group of a ``corCompSymm``.
    lower : float
        Lower limit of ρ in ``corCompSymm`` (−1/(size−1)).
    min_distance : float
        Smallest within-group distance: the offset of the range in ``corLin`` and ``corSpher``.
    nugget : bool
    metric : str
        ``euclidean``, ``maximum`` or ``manhattan``.
    """

    cor_class: str
    names: tuple[str, ...]
    values: Array
    fixed: bool
    codes: Array
    covariate: Array
    p: int = 0
    q: int = 0
    size: int = 0
    lower: float = 0.0
    min_distance: float = 0.0
    nugget: bool = False
    metric: str = "euclidean"

    def __post_init__(self) -> None:
        _own(self, values=(len(self.names),), codes=(None,), covariate=(len(self.codes), None))


@dataclass(frozen=True)
class VarFunc:
    """One variance function: sd(ε_i) = σ · s_i.

    Attributes
    ----------
    var_class : str
        nlme's class.
    tag : str
        Name of the component inside a varComb (``A``, ``B`` … or the user's); empty outside.
    names : tuple of str, length k
        nlme's names of all natural coefficients, fixed ones and varIdent's reference included.
    values : (k,) array
        Natural coefficients in the order of ``names``; ``varConstPower`` and
        ``varConstProp``: every ``const`` first, then every ``power`` (``prop``).
    free : (k,) bool array
        False where the coefficient is fixed, or is varIdent's reference.
    covariate : (n,) array or None
        Variance covariate of each row; a ``fitted(.)`` covariate at nlme's last iterate.
    codes : (n,) int array or None
        Stratum of each row, index into ``strata``.
    strata : tuple of str
    """

    var_class: str
    tag: str
    names: tuple[str, ...]
    values: Array
    free: Array
    covariate: Array | None
    codes: Array | None
    strata: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        k = len(self.names)
        _own(self, values=(k,), free=(k,), covariate=(None,), codes=(None,))


@dataclass(frozen=True)
class ApVar:
    """nlme's ``apVar``: approximate covariance of the unconstrained parameters.

    Attributes
    ----------
    names : tuple of str, length r
        nlme's names of Pars; not unique in general, so decode by position.
    pars : (r,) array
        ``attr(apVar, "Pars")``: levels inner to outer, corStruct, varStruct, log σ.
    cov : (r, r) array
    natural : bool
        Whether unstructured matrices are in the natural parameterisation (log sd, T⁻¹ cor).
    """

    names: tuple[str, ...]
    pars: Array
    cov: Array
    natural: bool

    def __post_init__(self) -> None:
        r = len(self.names)
        _own(self, pars=(r,), cov=(r, r))


@dataclass(frozen=True)
class ApVarUnavailable:
    """Why there is no ``apVar``: nlme's own words, or that there is nothing to estimate."""

    reason: str

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True)
class DesignVariable:
    """A variable of the fixed effects as R's ``terms`` has it: ``age``, ``log(x)``, ``sex``.

    Attributes
    ----------
    name : str
    levels : tuple of str
        Of a factor; empty for a numeric variable.
    contrasts : (l, k) array
        The k columns that stand for the l levels; (0, 0) for a numeric variable.
    columns : tuple of str
        Columns of the data that it is made of.
    width : int
        Columns of a numeric variable (more than one for ``poly(x, 2)``); k for a factor.
    """

    name: str
    levels: tuple[str, ...]
    contrasts: Array
    columns: tuple[str, ...]
    width: int

    def __post_init__(self) -> None:
        _own(self, contrasts=(len(self.levels), None))


@dataclass(frozen=True)
class FixedTerms:
    """The terms of the fixed effects: what tests of terms and marginal means need of the design.

    Attributes
    ----------
    labels : tuple of str, length t
        As R has them, ``age:sex``; the intercept is none of them.
    assign : (p,) int array
        Term of each coefficient, 1 … t; 0 for the intercept.
    variables : tuple of DesignVariable, length v
    factors : (v, t) int array
        0 where the variable is not in the term; 1 by its contrasts; 2 by a column a level.
    cells : (c, f) int array
        The combinations of levels that occur, a column for each variable that is a factor.
    counts : (c,) int array
        Their rows.
    means : mapping of str to float
        Mean of each numeric column of the data that a variable is made of.
    """

    labels: tuple[str, ...]
    assign: Array
    variables: tuple[DesignVariable, ...]
    factors: Array
    cells: Array
    counts: Array
    means: Mapping[str, float]

    def __post_init__(self) -> None:
        factors = sum(bool(variable.levels) for variable in self.variables)
        _own(self, assign=(None,), factors=(len(self.variables), len(self.labels)))
        _own(self, cells=(None, factors), counts=(len(self.cells),))


@dataclass(frozen=True)
class CovarianceChoice:
    """The covariance over visits that held.

    Attributes
    ----------
    name : str
        ``unstructured``, ``heterogeneous autoregressive`` …
    visits : tuple
        The visits in order.
    visit, position : str
        Columns of the visits, and of their positions 1, 2, 3 … that was added to the data.
    group : str or None
        Column whose groups have variances of their own.
    failed : mapping of str to str
        Those tried before it, and why each did not hold.
    """

    name: str
    visits: tuple[Any, ...]
    visit: str
    position: str
    group: str | None
    failed: Mapping[str, str]

    def __str__(self) -> str:
        own = f", variances by {self.group}" if self.group else ""
        before = "".join(f"; {name} failed: {why}" for name, why in self.failed.items())
        return f"{self.name} over {len(self.visits)} visits{own}{before}"


@dataclass(frozen=True)
class FitSnapshot:
    """Everything after the fit works from this object alone.

    Rows are in nlme's order: sorted by the groups, outermost first. ``rows`` maps them to the
    frame that the user gave. Every array is owned and read-only.

    Attributes
    ----------
    kind : {"lme", "gls"}
    method : {"REML", "ML"}
    y : (n,) array
        Response.
    X : (n, p) array
        Fixed-effects design.
    coef_names : tuple of str, length p
    beta, std_error, df : (p,) arrays
        Fixed effects, their standard errors and denominator degrees of freedom, as in R's
        ``summary``.
    vcov : (p, p) array
        ``vcov(fit)`` of R (for ML without summary's σ adjustment).
    levels : tuple of RandomLevel
        Outermost first; empty for gls.
    cor : CorStruct or None
    var : tuple of VarFunc
        Components of the variance function; one unless a varComb; empty without weights.
    sigma : float
        Within-group standard deviation multiplying s_i.
    fixed_sigma : bool
        σ was given in ``control`` and is no parameter.
    apvar : ApVar or ApVarUnavailable
    log_lik : float
        ``logLik(fit)`` of R.
    fitted : (n, 1 + number of levels) array
        Fitted values: population first, then outermost to innermost.
    rows : (n,) int array
        Position of each row in the user's frame.
    n_dropped : int
        Rows of the user's frame left out for missing values.
    converged : bool
    warnings : tuple of str
        R's warnings during the fit.
    spec : mapping
        The model as plain data (``ModelSpec.to_dict()``).
    provenance : mapping of str to str
        Versions of R, nlme, rpy2, BLAS …, and the platform.
    terms : FixedTerms or None
        None in files of version 0.1.
    visits : CovarianceChoice or None
        Of an MMRM: which covariance over which visits held.
    """

    kind: str
    method: str
    y: Array
    X: Array
    coef_names: tuple[str, ...]
    beta: Array
    std_error: Array
    df: Array
    vcov: Array
    levels: tuple[RandomLevel, ...]
    cor: CorStruct | None
    var: tuple[VarFunc, ...]
    sigma: float
    fixed_sigma: bool
    apvar: ApVar | ApVarUnavailable
    log_lik: float
    fitted: Array
    rows: Array
    n_dropped: int = 0
    converged: bool = True
    warnings: tuple[str, ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    terms: FixedTerms | None = None
    visits: CovarianceChoice | None = None

    def __post_init__(self) -> None:
        n, p = len(self.y), len(self.coef_names)
        one_per_coef = {name: (p,) for name in ("beta", "std_error", "df")}
        _own(self, y=(n,), X=(n, p), vcov=(p, p), rows=(n,), **one_per_coef)
        _own(self, fitted=(n, 1 + len(self.levels)))
        if self.rows.dtype.kind != "i" or not _are_positions(self.rows):
            raise SnapshotError("FitSnapshot.rows must be distinct positions from 0 on")
        parts: list[Any] = [*self.levels, *self.var, *([self.cor] if self.cor else [])]
        for part in parts:
            for name in ("codes", "covariate", "Z"):
                rows = getattr(part, name, None)
                if rows is not None and len(rows) != n:
                    raise SnapshotError(
                        f"{type(part).__name__}.{name} has {len(rows)} rows, expected {n}"
                    )

    @property
    def n(self) -> int:
        """Number of rows in the fit."""
        return len(self.y)

    def save(self, path: str | PathLike[str] | BinaryIO) -> None:
        """Write the snapshot, whole or not at all: a zip of arrays and JSON, no pickle.

        Raises
        ------
        FileError
            It cannot be written.
        """
        if isinstance(path, (str, PathLike)):
            try:
                with written_whole(path) as file:
                    self.save(file)
            except FileNotFoundError:
                raise NoFileError(f"{path}: there is no such folder to write to") from None
            except OSError as error:
                raise FileError(f"{path}: cannot be written: {error.strerror or error}") from None
            return
        arrays: list[Array] = []

        def store(array: Array) -> str:
            arrays.append(array)
            return f"a{len(arrays) - 1}"

        meta = {"format": FORMAT, "snapshot": encode(self, store)}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("snapshot.json", json.dumps(meta, ensure_ascii=False))
            for number, array in enumerate(arrays):
                with archive.open(f"a{number}.npy", "w", force_zip64=True) as member:
                    np.save(member, array, allow_pickle=False)

    @classmethod
    def load(cls, path: str | PathLike[str] | BinaryIO) -> FitSnapshot:
        """Read a snapshot that :meth:`save` wrote.

        Raises
        ------
        SnapshotError
            The file is not a snapshot of this format, or its parts do not fit together.
        NoFileError
            There is none.
        """

        try:
            with zipfile.ZipFile(path) as archive:
                check_size(archive)
                meta = json.loads(archive.read("snapshot.json"))
                return _revived(meta, partial(read_array, archive))
        except FileNotFoundError:
            raise NoFileError(f"{path}: there is no such file") from None
        except SnapshotError as error:
            raise SnapshotError(f"{path}: {error}") from None
        except UNREADABLE as error:
            raise SnapshotError(f"{path}: not a readable snapshot ({error})") from error

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, arrays as nested lists; :meth:`from_dict` reads it back."""
        return {"format": FORMAT, "snapshot": encode(self, np.ndarray.tolist)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FitSnapshot:
        """Inverse of :meth:`to_dict`; raises as :meth:`load`."""
        return _revived(data, np.array)


def _revived(meta: Any, fetch: Callable[[Any], Array]) -> FitSnapshot:
    if not isinstance(meta, Mapping) or meta.get("format") != FORMAT:
        raise SnapshotError(f"not a snapshot of format {FORMAT}")
    try:
        snapshot = decode(meta["snapshot"], fetch, _TYPES)
    except UNREADABLE as error:
        if isinstance(error, SnapshotError):
            raise
        raise SnapshotError(f"not a readable snapshot ({error})") from error
    if not isinstance(snapshot, FitSnapshot):
        raise SnapshotError(f"holds a {type(snapshot).__name__}, not a FitSnapshot")
    return snapshot


_TYPES = {
    cls.__name__: cls
    for cls in (
        *(PdBlock, RandomLevel, CorStruct, VarFunc, ApVar, ApVarUnavailable),
        *(DesignVariable, FixedTerms, CovarianceChoice, FitSnapshot),
    )
}
