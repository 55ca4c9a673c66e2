"""ModelSpec: a model as frozen plain data, checked before anything touches R."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from .errors import FormulaError, SpecError
from .formula import Call, Formula, parse, parse_formula
from .structures import (
    CorStruct,
    Structure,
    as_structure,
    formula_text,
    pdLogChol,
    structure_from_node,
)

Random = Union[str, Mapping[str, Any]]

CONTRASTS = ("contr.treatment", "contr.sum", "contr.helmert", "contr.poly", "contr.SAS")
_CONTROL = {
    *("maxIter", "msMaxIter", "tolerance", "msTol", "msVerbose", "singular.ok", "returnObject"),
    *("apVar", ".relStep", "opt", "optimMethod", "minAbsParApVar", "natural", "sigma"),
}
CONTROL = {
    "lme": _CONTROL | {"niterEM", "msMaxEval", "gradHess", "allow.n.lt.q"} - {"singular.ok"},
    "gls": _CONTROL,
}
METHODS = ("REML", "ML")
NA_ACTIONS = ("drop", "raise")


@dataclass(frozen=True)
class ModelSpec:
    """A linear mixed model (``lme``) or a generalised least-squares model (``gls``).

    Attributes
    ----------
    kind : {"lme", "gls"}
    fixed : str
        Two-sided formula of the fixed effects.
    random : tuple of (group, pdMat or pdBlocked)
        Outermost group first; a group may stand twice. Empty for gls.
    correlation : corStruct, optional
    weights : varFunc, optional
    method : {"REML", "ML"}
    contrasts : mapping of column to the name of an R contrast, or to a matrix (levels in rows)
    control : mapping
        Arguments of nlme's ``lmeControl`` (``glsControl``).
    na_action : {"drop", "raise"}
    """

    kind: str
    fixed: str
    random: tuple[tuple[str, Structure], ...] = ()
    correlation: Structure | None = None
    weights: Structure | None = None
    method: str = "REML"
    contrasts: Mapping[str, Any] = field(default_factory=dict)
    control: Mapping[str, Any] = field(default_factory=dict)
    na_action: str = "drop"

    def __post_init__(self) -> None:
        _one_of(self.method, METHODS, "method")
        _one_of(self.na_action, NA_ACTIONS, "na_action")
        formula = parse_formula(self.fixed)
        if formula.lhs is None:
            raise FormulaError("the fixed formula needs a response: 'y ~ x'", self.fixed, 0)
        if formula.groups:
            raise FormulaError(f"groups belong into random, not into fixed: {self.fixed!r}")
        for name, value in self.control.items():
            _check_control(self.kind, name, value)

    @property
    def formula(self) -> Formula:
        """The checked formula of the fixed effects."""
        return parse_formula(self.fixed)

    @property
    def response(self) -> str:
        """The response as written."""
        return self.fixed.split("~")[0].strip()

    def structures(self) -> Iterator[Structure]:
        """Every structure, pdBlocked and varComb taken apart."""
        for structure in (*(pd for _, pd in self.random), self.correlation, self.weights):
            if structure is not None:
                yield from getattr(structure, "blocks", getattr(structure, "parts", (structure,)))

    def groupings(self) -> list[tuple[str, ...]]:
        """The groups of the random effects, outermost first, then those of the correlation."""
        random = tuple(dict.fromkeys(group for group, _ in self.random))
        formula = self.correlation.formula() if self.correlation else None
        return [random, formula.groups if formula else ()]

    def columns(self) -> list[str]:
        """Columns used as values (not as groups), in reading order."""
        names = self.formula.columns
        for structure in self.structures():
            formula = structure.formula()
            if formula is not None:  # "." stands for the fit itself in fitted(.)
                names += [n for n in formula.columns if n != "." or structure.kind != "varFunc"]
        return list(dict.fromkeys(names))

    def group_columns(self) -> list[str]:
        """Columns used as groups or strata, in reading order."""
        formulas = filter(None, (s.formula() for s in self.structures()))
        names = [group for group, _ in self.random]
        return list(dict.fromkeys(names + [g for f in formulas for g in f.groups]))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, readable from TOML or JSON; :meth:`from_dict` reads it back."""
        random = [{"group": group, "structure": pd.to_dict()} for group, pd in self.random]
        return {
            "kind": self.kind,
            "fixed": self.fixed,
            "random": random,
            "correlation": self.correlation.to_dict() if self.correlation else None,
            "weights": self.weights.to_dict() if self.weights else None,
            "method": self.method,
            "contrasts": {k: _plain_contrast(v) for k, v in self.contrasts.items()},
            "control": dict(self.control),
            "na_action": self.na_action,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelSpec:
        """Inverse of :meth:`to_dict`."""
        known = set(cls.__dataclass_fields__)
        for name in data:
            if name not in known:
                raise SpecError(f"a model has no {name!r} (it has {', '.join(sorted(known))})")
        values = dict(data)
        values["random"] = tuple(
            (level["group"], as_structure(level["structure"], "pdMat", "random"))
            for level in data.get("random", ())
        )
        for name, kind in (("correlation", "corStruct"), ("weights", "varFunc")):
            if values.get(name) is not None:
                values[name] = as_structure(values[name], kind, name)
        return cls(**values)


def _plain_contrast(value: Any) -> Any:
    return value if isinstance(value, str) else [list(map(float, row)) for row in _matrix(value)]


def _matrix(value: Any) -> Any:
    return value.to_numpy() if hasattr(value, "to_numpy") else value


def _one_of(value: object, allowed: Sequence[str], argument: str) -> None:
    if value not in allowed:
        names = " or ".join(repr(a) for a in allowed)
        raise SpecError(f"{argument} must be {names}, not {value!r}")


def _check_control(kind: str, name: str, value: object) -> None:
    if name not in CONTROL[kind]:
        close = difflib.get_close_matches(name, CONTROL[kind], 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        known = ", ".join(sorted(CONTROL[kind]))
        raise SpecError(f"control has no {name!r} for {kind}{hint} (known: {known})")
    if not isinstance(value, (bool, int, float, str)):
        raise SpecError(f"control[{name!r}] must be a number, a string or a bool, not {value!r}")


def lme_spec(
    fixed: str,
    random: Random,
    correlation: object = None,
    weights: object = None,
    **rest: Any,
) -> ModelSpec:
    """A mixed model from the user's words (:func:`rbridge.lme`)."""
    levels = _random(random)
    return ModelSpec("lme", fixed, levels, *_within(correlation, weights), **rest)


def gls_spec(
    fixed: str, correlation: object = None, weights: object = None, **rest: Any
) -> ModelSpec:
    """A generalised least-squares model from the user's words (:func:`rbridge.gls`)."""
    return ModelSpec("gls", fixed, (), *_within(correlation, weights), **rest)


def _within(correlation: object, weights: object) -> tuple[Structure | None, Structure | None]:
    if isinstance(weights, str) and weights.lstrip().startswith("~"):
        weights = {"class": "varFixed", "form": weights}  # as nlme reads a bare formula
    cor = None if correlation is None else as_structure(correlation, "corStruct", "correlation")
    var = None if weights is None else as_structure(weights, "varFunc", "weights")
    assert cor is None or isinstance(cor, CorStruct)
    return cor, var


def _random(random: Random) -> tuple[tuple[str, Structure], ...]:
    """Levels of random effects, outermost first, from any of the forms a user may write."""
    if isinstance(random, str):
        return _random_text(random)
    if isinstance(random, Mapping) and random:
        return tuple(
            (str(group), _pd_mat(term))
            for group, terms in random.items()
            for term in (terms if isinstance(terms, (list, tuple)) else [terms])
        )
    message = "random must be '~ terms | group' or a dict of group to terms, outermost first"
    raise SpecError(f"{message}, not {random!r}")


def _random_text(text: str) -> tuple[tuple[str, Structure], ...]:
    node = parse(text)
    if isinstance(node, Call) and node.function == "list":  # list(school = ~ 1, case = pdDiag(~ x))
        if not all(node.keys) or not node.args:
            raise FormulaError("name the group of every term: list(group = ~ terms)", text, 0)
        terms = (structure_from_node(arg, text, "pdMat") for arg in node.args)
        return tuple(zip(node.keys, terms))
    formula = parse_formula(text)
    if formula.lhs is not None or not formula.groups or formula.crossed:
        raise FormulaError("random needs terms and groups: '~ age | subject'", text, 0)
    form = f"~ {formula_text(formula.rhs)}"
    return tuple((group, pdLogChol(form)) for group in formula.groups)


def _pd_mat(term: object) -> Structure:
    if isinstance(term, str) and term.lstrip().startswith("~"):
        return pdLogChol(term)
    return as_structure(term, "pdMat", "random")
