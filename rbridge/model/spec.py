"""ModelSpec: a model as frozen plain data, checked before anything touches R."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Union

from ..errors import FormulaError, SpecError
from ..options import did_you_mean, one_of
from .formula import Call, Formula, Name, check_no_frame, parse, parse_formula, quoted, variables
from .structure_text import as_structure, formula_text, structure_from_node
from .structures import CorrelationStructure, Structure, pdLogChol

Random = Union[str, Mapping[str, Any]]

CONTRASTS = ("contr.treatment", "contr.sum", "contr.helmert", "contr.poly", "contr.SAS")
_CONTROL: dict[str, str] = {
    **dict.fromkeys(("maxIter", "msMaxIter"), "whole number"),
    **dict.fromkeys(("tolerance", "msTol", ".relStep", "minAbsParApVar"), "number"),
    **dict.fromkeys(("msVerbose", "returnObject", "apVar", "natural"), "bool"),
    **{"sigma": "number", "opt": "nlminb optim"},
    "optimMethod": "Nelder-Mead BFGS CG L-BFGS-B SANN Brent",
}
CONTROL: dict[str, dict[str, str]] = {  # argument → what it takes, or the words it knows
    "lme": {
        **_CONTROL,
        **dict.fromkeys(("niterEM", "msMaxEval"), "whole number"),
        **dict.fromkeys(("gradHess", "allow.n.lt.q"), "bool"),
    },
    "gls": {**_CONTROL, "msMaxEval": "whole number", "singular.ok": "bool"},
}
METHODS = ("REML", "ML")
NA_ACTIONS = ("drop", "raise")


@dataclass(frozen=True)
class Beside:
    """A model without its response.

    Attributes
    ----------
    right : str
        The formula of the fixed effects from the tilde on.
    columns : tuple of str
        All that the model names, groups included.
    text : str
        The same for two models that differ in the response only.
    """

    right: str
    columns: tuple[str, ...]
    text: str


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
        one_of(self.method, METHODS, "method", quote=True)
        one_of(self.na_action, NA_ACTIONS, "na_action", quote=True)
        check_no_frame(self.fixed)
        formula = self.formula
        if formula.lhs is None:
            raise FormulaError("the fixed formula needs a response: 'y ~ x'", self.fixed, 0)
        if formula.groups:
            raise FormulaError(f"groups belong into random, not into fixed: {self.fixed!r}")
        for name, value in self.control.items():
            _check_control(self.kind, name, value)
        plain = {name: _plain_contrast(name, value) for name, value in self.contrasts.items()}
        object.__setattr__(self, "contrasts", plain)

    @cached_property
    def formula(self) -> Formula:
        """The checked formula of the fixed effects."""
        return parse_formula(self.fixed)

    @property
    def response(self) -> str:
        """The response as written."""
        return self.fixed[: parse(self.fixed).pos].strip()

    def with_response(self, response: str, **changes: Any) -> ModelSpec:
        """The same model of another response; ``changes`` as for ``dataclasses.replace``."""
        right = self.fixed[parse(self.fixed).pos :]
        return replace(self, fixed=f"{response} {right}", **changes)

    def with_column(self, name: str) -> ModelSpec:
        """:meth:`with_response` of a column: quick, for nothing else is read or checked again."""
        text, known = f"{quoted(name)} {self.beside_response.right}", self.formula
        formula = Formula(text, Name(name), known.rhs, known.groups, known.crossed)
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, fixed=text, formula=formula)
        return other

    @cached_property
    def beside_response(self) -> Beside:
        """All of the model but its response."""
        right = self.fixed[parse(self.fixed).pos :]
        of_structures = [
            name for s in self.structures() if (f := s.formula()) for name in f.columns
        ]
        columns = [*variables(self.formula.rhs), *of_structures, *self.group_columns()]
        text = repr({**self.to_dict(), "fixed": right})
        return Beside(right, tuple(dict.fromkeys(c for c in columns if c != ".")), text)

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
            "contrasts": dict(self.contrasts),
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


def _plain_contrast(name: str, value: Any) -> Any:
    """A contrast as plain data: its name, or its rows; of a DataFrame with its labels."""
    if isinstance(value, (str, Mapping)):
        return value
    try:
        rows = [list(map(float, row)) for row in getattr(value, "to_numpy", lambda: value)()]
    except (TypeError, ValueError):
        raise SpecError(f"contrasts[{name!r}] must be a contrast's name or a matrix") from None
    if not hasattr(value, "columns"):
        return rows
    plain = {"matrix": rows, "columns": list(map(str, value.columns))}
    counted = list(value.index) == list(range(len(rows)))
    return plain if counted else {**plain, "index": list(map(str, value.index))}


def _check_control(kind: str, name: str, value: object) -> None:
    if name not in CONTROL[kind]:
        hint = did_you_mean(name, CONTROL[kind])
        known = ", ".join(sorted(CONTROL[kind]))
        raise SpecError(f"control has no {name!r} for {kind}{hint} (known: {known})")
    _check_value(f"control[{name!r}]", value, CONTROL[kind][name])


def _check_value(argument: str, value: object, wanted: str) -> None:
    """R takes nearly anything here, and fits with something else than was meant."""
    if wanted == "bool":
        ok = isinstance(value, bool)
        wanted = "True or False"
    elif wanted in ("number", "whole number"):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        ok = is_number and 0 <= value < float("inf")  # type: ignore[operator]
        ok = ok and (wanted == "number" or value == int(value))  # type: ignore[call-overload]
        wanted = f"a {wanted}, not negative"
    else:
        one_of(value, wanted.split(), argument, quote=True)
        return
    if not ok:
        raise SpecError(f"{argument} must be {wanted}, not {value!r}")


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
    assert cor is None or isinstance(cor, CorrelationStructure)
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
    crossed = "; crossed groups need pdBlocked" if isinstance(random, (list, tuple)) else ""
    raise SpecError(f"{message}, not {random!r}{crossed}")


def _random_text(text: str) -> tuple[tuple[str, Structure], ...]:
    node = parse(text)
    if isinstance(node, Call) and node.function == "list":  # list(school = ~ 1, case = pdDiag(~ x))
        if not all(node.keys) or not node.args:
            raise FormulaError("name the group of every term: list(group = ~ terms)", text, 0)
        terms = (structure_from_node(arg, text, "pdMat") for arg in node.args)
        return tuple(zip(node.keys, terms))
    inner = node.args[0] if isinstance(node, Call) and node.function == "(" else node
    if isinstance(inner, Call) and inner.function == "|":  # as lme4 has it
        left, right = map(formula_text, inner.args)
        raise FormulaError(f"random needs a '~' and no brackets: '~ {left} | {right}'")
    if isinstance(node, Name):
        raise FormulaError(f"random needs terms and groups: '~ 1 | {node.name}'", text, 0)
    if isinstance(node, Call) and node.function.startswith("pd"):
        raise FormulaError(f"the group is missing: random={{'group': {text.strip()!r}}}", text, 0)
    formula = parse_formula(text)
    if formula.lhs is not None or not formula.groups or formula.crossed:
        raise FormulaError("random needs terms and groups: '~ age | subject'", text, 0)
    form = f"~ {formula_text(formula.rhs)}"
    return tuple((group, pdLogChol(form)) for group in formula.groups)


def _pd_mat(term: object) -> Structure:
    if isinstance(term, str) and term.lstrip().startswith("~"):
        return pdLogChol(term)
    return as_structure(term, "pdMat", "random")
