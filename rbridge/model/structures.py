"""pdDiag, corAR1, varIdent …: the user's words for nlme's constructors, as frozen values.

Every class that nlme ships has a value of the same name here, with nlme's own argument names.
The text an R user would paste (``"corAR1(form = ~ time | subject)"``) is read into the same
values by :mod:`rbridge.model.structure_text`; it is never evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Union

from ..errors import SpecError, StructureError
from ..options import one_of
from .formula import Formula, parse_formula

__all__ = [  # what a user may write
    "pdLogChol",
    "pdSymm",
    "pdNatural",
    "pdDiag",
    "pdIdent",
    "pdCompSymm",
    "pdBlocked",
    "corAR1",
    "corCAR1",
    "corCompSymm",
    "corSymm",
    "corNatural",
    "corARMA",
    "corExp",
    "corGaus",
    "corLin",
    "corRatio",
    "corSpher",
    "varFixed",
    "varIdent",
    "varPower",
    "varExp",
    "varConstPower",
    "varConstProp",
    "varComb",
]

Number = Union[int, float]
Values = Union[Number, Sequence[Number], None]
Matrix = Sequence[Sequence[Number]]
ByStratum = Union[Number, Mapping[str, Number], None]

METRICS = ("euclidean", "maximum", "manhattan")
FITTED = frozenset({"fitted", "resid"})  # covariates that nlme computes from the fit itself


class Structure:
    """Base of all structures: a value with nlme's class name and nlme's argument names."""

    kind: ClassVar[str]

    @property
    def r_class(self) -> str:
        """Name of the constructor in nlme."""
        return type(self).__name__

    def to_dict(self) -> dict[str, Any]:
        """Plain data, readable from TOML or JSON; arguments left at None are absent."""
        content = {f.name: _plain(getattr(self, f.name)) for f in fields(self)}  # type: ignore
        return {"class": self.r_class, **{k: v for k, v in content.items() if v is not None}}

    def formula(self) -> Formula | None:
        """The checked formula of ``form``, if the structure has one."""
        form = getattr(self, "form", None)
        if form is None:
            return None
        try:
            return parse_formula(form, FITTED if self.kind == "varFunc" else frozenset())
        except SpecError as error:
            raise StructureError(f"{self.r_class}: {error}") from None

    def _freeze(self, *names: str) -> None:
        """Check and freeze the named numeric arguments."""
        for name in names:
            value = getattr(self, name)
            try:
                object.__setattr__(self, name, _numbers(value))
            except (TypeError, ValueError):
                what = f"{self.r_class}({name}={value!r})"
                raise StructureError(f"{what}: give a number or numbers") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Structure):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _numbers(value: Any) -> Any:
    """Floats, tuples of floats or a dict of floats; numpy's arrays and scalars too."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or isinstance(value, str):
        if value is not None:
            raise TypeError
        return None
    if isinstance(value, Mapping):
        return {str(key): float(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return tuple(float(item) for item in value)
    return float(value)


# --- covariance of the random effects: pdMat ------------------------------------------------


@dataclass(frozen=True)
class PdMat(Structure):
    """A covariance structure of random effects.

    Parameters
    ----------
    form : str
        The random effects as a one-sided formula, ``"~ time"``.
    value : sequence of float or (q, q) matrix, optional
        Where the search starts: the covariance matrix of the random effects over σ², or numbers in
        nlme's parameterisation of the class.
    """

    form: str
    value: Union[Values, Matrix] = None
    kind: ClassVar[str] = "pdMat"

    def __post_init__(self) -> None:
        formula = self.formula()
        if formula is None or formula.lhs is not None or formula.groups:
            raise StructureError(f"{self.r_class}({self.form!r}): give one-sided '~ terms'")
        plain = getattr(self.value, "to_numpy", lambda: self.value)()
        plain = getattr(plain, "tolist", lambda: plain)()
        if isinstance(plain, (list, tuple)) and any(isinstance(r, (list, tuple)) for r in plain):
            object.__setattr__(self, "value", _covariance(plain, self.r_class))
        else:
            self._freeze("value")


def _covariance(rows: Sequence[Any], r_class: str) -> tuple[tuple[float, ...], ...]:
    """The rows of a covariance matrix, checked."""
    try:
        matrix = tuple(tuple(map(float, row)) for row in rows)
    except (TypeError, ValueError):
        raise StructureError(f"{r_class}: the rows of a matrix value must be numbers") from None
    if any(len(row) != len(matrix) for row in matrix):
        raise StructureError(f"{r_class}: a matrix value must be square, a row for each effect")
    size = max(abs(x) for row in matrix for x in row)
    pairs = zip(matrix, zip(*matrix))
    if any(abs(a - b) > 1e-10 * size for row, column in pairs for a, b in zip(row, column)):
        raise StructureError(f"{r_class}: a matrix value must be symmetric")
    if not _is_positive_definite(matrix):
        raise StructureError(f"{r_class}: a matrix value must be positive definite")
    return matrix


def _is_positive_definite(matrix: Sequence[Sequence[float]]) -> bool:
    """Whether elimination meets positive pivots only."""
    rows = [list(row) for row in matrix]
    for k, pivot in enumerate(rows):
        if not 0 < pivot[k] < float("inf"):
            return False
        for row in rows[k + 1 :]:
            factor = row[k] / pivot[k]
            row[k:] = [a - factor * b for a, b in zip(row[k:], pivot[k:])]
    return True


class pdLogChol(PdMat):
    """Unstructured, log-Cholesky parameterisation (nlme's default)."""


class pdSymm(PdMat):
    """Unstructured, matrix-logarithm parameterisation."""


class pdNatural(PdMat):
    """Unstructured, natural parameterisation: log sd and transformed correlations."""


class pdDiag(PdMat):
    """Independent random effects, each with its own variance."""


class pdIdent(PdMat):
    """Independent random effects with one common variance."""


class pdCompSymm(PdMat):
    """One variance and one correlation for all random effects."""


@dataclass(frozen=True)
class pdBlocked(Structure):
    """Blocks of random effects, independent of each other.

    Parameters
    ----------
    blocks : sequence of str or pdMat
        ``["~ 1", rb.pdIdent("~ Machine - 1")]``, or ``"pdIdent(~ Machine - 1)"``; a bare formula
        means ``pdSymm``, as in nlme.
    """

    blocks: Sequence[Any]  # str or PdMat given, PdMat kept
    kind: ClassVar[str] = "pdMat"

    def __post_init__(self) -> None:
        blocks = tuple(_block(b) if isinstance(b, str) else b for b in self.blocks)
        if len(blocks) < 2 or not all(isinstance(b, PdMat) for b in blocks):
            raise StructureError("pdBlocked: give two or more formulas or pdMat structures")
        object.__setattr__(self, "blocks", blocks)


def _block(text: str) -> PdMat:
    """A block from its formula, or from the text of its constructor: ``pdIdent(~ x - 1)``."""
    written = re.fullmatch(r"\s*(pd\w+)\(\s*(?:(?:form|value)\s*=)?\s*(~.*)\)\s*", text, re.DOTALL)
    classes = {cls.__name__: cls for cls in PdMat.__subclasses__()}
    if written and written[1] in classes:
        return classes[written[1]](written[2])
    return pdSymm(text)


# --- correlation within groups: corStruct ---------------------------------------------------


@dataclass(frozen=True)
class CorrelationStructure(Structure):
    """A within-group correlation structure.

    Parameters
    ----------
    value : float or sequence of float, optional
        Starting value, or the value to hold with ``fixed=True``; nlme's default if absent.
    form : str
        ``"~ time | subject"``: the covariate, and the groups within which rows correlate. A text
        that starts with ``~`` may stand first: ``rb.corAR1("~ time | subject")``.
    fixed : bool
        Hold the parameters at ``value``.
    """

    value: Values = None
    form: str = "~ 1"
    fixed: bool = False
    kind: ClassVar[str] = "corStruct"

    def __post_init__(self) -> None:
        if isinstance(self.value, str) and self.value.lstrip()[:1] == "~" and self.form == "~ 1":
            object.__setattr__(self, "form", self.value)
            object.__setattr__(self, "value", None)
        formula = self.formula()
        if formula is None or formula.lhs is not None or formula.crossed:
            raise StructureError(f"{self.r_class}(form={self.form!r}): give '~ time | group'")
        self._freeze("value")
        if self.fixed and self.value is None:
            raise StructureError(f"{self.r_class}(fixed=True) needs the value to hold")


class corAR1(CorrelationStructure):
    """First-order autoregressive; the covariate is an integer time."""


class corCAR1(CorrelationStructure):
    """Continuous-time first-order autoregressive."""


class corCompSymm(CorrelationStructure):
    """One correlation between all rows of a group."""


class corSymm(CorrelationStructure):
    """A correlation of its own for every pair of positions."""


class corNatural(CorrelationStructure):
    """As corSymm, in the natural parameterisation."""


@dataclass(frozen=True)
class corARMA(CorrelationStructure):
    """Autoregressive moving average of orders ``p`` and ``q``."""

    p: int = 0
    q: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "p", int(self.p))
        object.__setattr__(self, "q", int(self.q))
        if min(self.p, self.q) < 0 or self.p + self.q == 0:
            raise StructureError(f"corARMA(p={self.p}, q={self.q}): give orders, not both zero")


@dataclass(frozen=True)
class CorSpatial(CorrelationStructure):
    """A spatial correlation: ``form`` names the coordinates.

    Parameters
    ----------
    nugget : bool
        A discontinuity at distance zero.
    metric : {"euclidean", "maximum", "manhattan"}
    """

    nugget: bool = False
    metric: str = "euclidean"

    def __post_init__(self) -> None:
        super().__post_init__()
        what = f"{self.r_class}: metric"
        one_of(self.metric, METRICS, what, quote=True, error=StructureError)


class corExp(CorSpatial):
    """exp(−d/range)."""


class corGaus(CorSpatial):
    """exp(−(d/range)²)."""


class corLin(CorSpatial):
    """1 − d/range, zero beyond the range."""


class corRatio(CorSpatial):
    """1/(1 + (d/range)²)."""


class corSpher(CorSpatial):
    """1 − 1.5 d/range + 0.5 (d/range)³, zero beyond the range."""


# --- variance within groups: varFunc --------------------------------------------------------


@dataclass(frozen=True)
class VarianceFunction(Structure):
    """Base of the variance functions, sd(ε) = σ·s."""

    kind: ClassVar[str] = "varFunc"

    def __post_init__(self) -> None:
        formula = self.formula()
        if formula is not None and formula.lhs is not None:
            form = getattr(self, "form")
            raise StructureError(f"{self.r_class}(form={form!r}): give a one-sided formula")
        self._freeze(*(f.name for f in fields(self) if f.name != "form"))


@dataclass(frozen=True)
class varFixed(VarianceFunction):
    """Variance proportional to a covariate: s² = \\|v\\|.

    Parameters
    ----------
    form : str
        ``"~ v"``.
    """

    form: str


@dataclass(frozen=True)
class varIdent(VarianceFunction):
    """A standard deviation for each stratum, relative to a reference stratum.

    Parameters
    ----------
    form : str
        ``"~ 1 | stratum"`` (``"~ 1 | a*b"`` for combinations).
    value, fixed : dict of stratum to float, or float, optional
        Ratios to start from, and ratios to hold.
    """

    form: str
    value: ByStratum = None
    fixed: ByStratum = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not parse_formula(self.form).groups:
            raise StructureError(f"varIdent({self.form!r}): name the strata, '~ 1 | stratum'")


@dataclass(frozen=True)
class varPower(VarianceFunction):
    """s = \\|v\\|^power, in every stratum if ``form`` names strata.

    Parameters
    ----------
    form : str
        ``"~ v"``, ``"~ v | stratum"`` or ``"~ fitted(.)"`` (the default).
    value, fixed : float or dict of stratum to float, optional
        Power to start from, and power to hold.
    """

    form: str = "~ fitted(.)"
    value: ByStratum = None
    fixed: ByStratum = None


class varExp(varPower):
    """s = exp(expon · v)."""


@dataclass(frozen=True)
class varConstPower(VarianceFunction):
    """s = const + \\|v\\|^power.

    Parameters
    ----------
    form : str
        As in :class:`varPower`.
    const, power : float or dict of stratum to float, optional
        Values to start from.
    fixed_const, fixed_power : float or dict of stratum to float, optional
        Values to hold (nlme's ``fixed = list(const=, power=)``).
    """

    form: str = "~ fitted(.)"
    const: ByStratum = None
    power: ByStratum = None
    fixed_const: ByStratum = None
    fixed_power: ByStratum = None


@dataclass(frozen=True)
class varConstProp(VarianceFunction):
    """s = √(const² + prop²·v²).

    Parameters
    ----------
    form : str
        As in :class:`varPower`.
    const, prop : float or dict of stratum to float, optional
        Values to start from.
    fixed_const, fixed_prop : float or dict of stratum to float, optional
        Values to hold (nlme's ``fixed = list(const=, prop=)``).
    """

    form: str = "~ fitted(.)"
    const: ByStratum = None
    prop: ByStratum = None
    fixed_const: ByStratum = None
    fixed_prop: ByStratum = None


@dataclass(frozen=True, init=False)
class varComb(Structure):
    """A product of variance functions: ``rb.varComb(rb.varIdent("~ 1 | sex"), rb.varPower())``.

    Components may be named, ``rb.varComb(sex=rb.varIdent("~ 1 | sex"))``; nlme calls the others
    A, B, C …
    """

    parts: tuple[VarianceFunction, ...]
    names: tuple[str, ...] = field(default=())
    kind: ClassVar[str] = "varFunc"

    def __init__(self, *parts: VarianceFunction, **named: VarianceFunction) -> None:
        every = (*parts, *named.values())
        if len(every) < 2 or not all(isinstance(part, VarianceFunction) for part in every):
            raise StructureError("varComb: give two or more variance functions")
        if parts and named:
            raise StructureError("varComb: name every component or none")
        object.__setattr__(self, "parts", every)
        object.__setattr__(self, "names", tuple(named))
