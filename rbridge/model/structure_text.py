"""Structures from the text an R user would paste, and from plain data; nothing is evaluated."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ..errors import StructureError
from ..options import did_you_mean
from . import structures
from .formula import CONSTANTS, PLAIN_NAME, Call, Constant, Name, Node, parse
from .structures import (
    CorSpatial,
    Structure,
    pdBlocked,
    pdLogChol,
    varComb,
    varConstPower,
    varConstProp,
    varFixed,
)

STRUCTURES: dict[str, type[Structure]] = {
    name: getattr(structures, name) for name in structures.__all__
}


def structure_class(name: str, kind: str) -> type[Structure]:
    """The structure of that name and kind, or a StructureError that lists what there is."""
    found = STRUCTURES.get(name)
    if found is not None and found.kind == kind:
        return found
    names = [n for n, cls in STRUCTURES.items() if cls.kind == kind]
    hint = did_you_mean(name, names, quote=False)
    raise StructureError(f"there is no {kind} {name!r}{hint} (known: {', '.join(names)})")


def parse_structure(text: str, kind: str) -> Structure:
    """Read the constructor call an R user would paste.

    Parameters
    ----------
    text : str
        ``"corAR1(form = ~ time | subject)"``.
    kind : {"pdMat", "corStruct", "varFunc"}

    Raises
    ------
    StructureError, FormulaError
        Unknown constructor or argument, or text that cannot be read.
    """
    return structure_from_node(parse(text), text, kind)


# nlme's positional order, where it differs from the order of the Python arguments.
_R_ORDER = {
    "pdMat": ("value", "form"),
    "corARMA": ("value", "form", "p", "q", "fixed"),
    "spatial": ("value", "form", "nugget", "metric", "fixed"),
    "corStruct": ("value", "form", "fixed"),
    "varFixed": ("value",),
    "varFunc": ("value", "form", "fixed"),
    "varConstPower": ("const", "power", "form", "fixed"),
    "varConstProp": ("const", "prop", "form", "fixed"),
}


def _r_order(cls: type[Structure]) -> tuple[str, ...]:
    name = "spatial" if issubclass(cls, CorSpatial) else cls.__name__
    return _R_ORDER.get(name) or _R_ORDER[cls.kind]


def _is_formula(node: Node) -> bool:
    return isinstance(node, Call) and node.function == "~"


def structure_from_node(node: Node, text: str, kind: str) -> Structure:
    """The structure that an expression writes; for a pdMat a bare formula means pdLogChol."""
    if _is_formula(node) and kind == "pdMat":
        return pdLogChol(formula_text(node))
    if isinstance(node, Call) and not _is_formula(node):
        return _from_call(node, text, kind)
    example = f"{text.strip()}(...)" if text.strip() in STRUCTURES else "a constructor"
    raise StructureError(f"{text!r} is not a {kind}: write {example}, as in R")


def _from_call(node: Call, text: str, kind: str) -> Structure:
    cls = structure_class(node.function, kind)
    if cls is varComb:
        parts = [structure_from_node(arg, text, "varFunc") for arg in node.args]
        return _combine(parts, node.keys)
    if cls is pdBlocked:
        return pdBlocked(_blocks(node, text))
    order = _r_order(cls)
    given: dict[str, Any] = {}
    free = [name for name in order if name not in node.keys]
    for key, arg in zip(node.keys, node.args):
        if not key and not free:
            raise StructureError(f"{node.function}: too many arguments in {text!r}")
        given[key or free.pop(0)] = _value(arg, text)
    return build(cls, _as_python(cls, given))


def _combine(parts: Sequence[Any], keys: Sequence[str]) -> varComb:
    named = {key: part for key, part in zip(keys, parts) if key}
    return varComb(*(part for key, part in zip(keys, parts) if not key), **named)


def _blocks(node: Call, text: str) -> list[str | Structure]:
    """The blocks of ``pdBlocked(list(~ 1, pdIdent(~ x - 1)))``."""
    listed = node.args[0] if len(node.args) == 1 else None
    if not (isinstance(listed, Call) and listed.function == "list"):
        raise StructureError(f"pdBlocked takes list(...): {text!r}")
    return [
        formula_text(arg) if _is_formula(arg) else structure_from_node(arg, text, "pdMat")
        for arg in listed.args
    ]


def _as_python(cls: type[Structure], given: dict[str, Any]) -> dict[str, Any]:
    """nlme's arguments as those of the Python value."""
    if cls.kind == "pdMat" or cls is varFixed:
        value = given.get("value")
        if isinstance(value, str):  # pdDiag(~ time), varFixed(~ age): the formula comes as value
            given = {**{k: v for k, v in given.items() if k != "value"}, "form": value}
    if cls in (varConstPower, varConstProp) and isinstance(given.get("fixed"), Mapping):
        fixed = given.pop("fixed")
        given |= {f"fixed_{key}": item for key, item in fixed.items()}
    return given


def _value(node: Node, text: str) -> Any:
    """A literal argument: number, string, logical, formula text, c(...) or list(...)."""
    if isinstance(node, Constant):
        return node.value
    if isinstance(node, Call):
        if node.function == "~":
            return formula_text(node)
        if node.function == "-" and len(node.args) == 1:
            return -_value(node.args[0], text)
        if node.function in ("c", "list"):
            items = [_value(arg, text) for arg in node.args]
            return dict(zip(node.keys, items)) if any(node.keys) else tuple(items)
        if node.function in ("matrix", "diag"):
            return _matrix(node, text)
    raise StructureError(f"only literal values may stand in a structure: {text!r}")


def _matrix(node: Call, text: str) -> tuple[tuple[float, ...], ...]:
    """``diag(2)``, ``diag(c(4, 1))``, ``matrix(c(4, 1, 1, 2), 2)``: a square matrix as rows."""
    data = _value(node.args[0], text) if node.args else ()
    values = data if isinstance(data, tuple) else (data,)
    if not values or not all(isinstance(x, (int, float)) for x in values):
        raise StructureError(f"{node.function}() takes numbers: {text!r}")
    if node.function == "diag" and len(node.args) == 1:
        diagonal = (1.0,) * int(values[0]) if len(values) == 1 else values
        return tuple(
            tuple(x * (i == j) for j in range(len(diagonal))) for i, x in enumerate(diagonal)
        )
    n = round(len(values) ** 0.5)
    if node.function == "diag" or n * n != len(values):
        raise StructureError(
            f"write the square matrix out, diag(c(…)) or matrix(c(…), n): {text!r}"
        )
    return tuple(tuple(values[i::n]) for i in range(n))  # by columns, as in R


def formula_text(node: Node) -> str:
    """The expression as R text (for messages and for values that carry a formula)."""
    if isinstance(node, Name):
        return _name_text(node.name)
    if isinstance(node, Constant):
        return _constant_text(node.value)
    args = [formula_text(arg) for arg in node.args]
    if node.function == "(":
        return f"({args[0]})"
    if not node.function[0].isalpha() and len(args) >= 2:
        return f" {node.function} ".join(args)
    if node.function in ("~", "-", "+", "!"):
        return f"{node.function}{' ' if node.function == '~' else ''}{args[0]}"
    keyed = [f"{key} = {arg}" if key else arg for key, arg in zip(node.keys, args)]
    return f"{node.function}({', '.join(keyed)})"


def _name_text(name: str) -> str:
    plain = PLAIN_NAME.fullmatch(name) and name not in (*CONSTANTS, "function")
    return name if plain else f"`{_escaped(name, '`')}`"


def _constant_text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "TRUE", False: "FALSE", None: "NULL"}[value]
    if isinstance(value, str):
        return f'"{_escaped(value, chr(34))}"'
    return "Inf" if value == float("inf") else f"{value:.17g}"


def _escaped(text: str, mark: str) -> str:
    return text.replace("\\", "\\\\").replace(mark, f"\\{mark}")


def build(cls: type[Structure], arguments: Mapping[str, Any]) -> Structure:
    """The structure with these arguments; unknown ones are refused by name."""
    known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
    for name in arguments:
        if name not in known:
            raise StructureError(f"{cls.__name__} has no argument {name!r} (it has {known})")
    try:
        return cls(**arguments)
    except TypeError as error:
        raise StructureError(f"{cls.__name__}: {error}") from None


def as_structure(value: object, kind: str, argument: str) -> Structure:
    """A structure from a value of this module, from R text, or from plain data.

    Raises
    ------
    StructureError
        Anything else, or a structure of another kind; the message names the argument.
    """
    if isinstance(value, Structure) and value.kind == kind:
        return value
    if isinstance(value, str):
        return parse_structure(value, kind)
    if isinstance(value, Mapping) and "class" in value:
        return _from_dict(value, kind)
    if isinstance(value, type) and issubclass(value, Structure):
        raise StructureError(f"{argument}: {value.__name__} needs parentheses, {value.__name__}()")
    given = reprlib.repr(value)  # an array would fill the screen
    raise StructureError(f"{argument} must be a {kind} or the R text of one, not {given}")


def _from_dict(value: Mapping[str, Any], kind: str) -> Structure:
    cls = structure_class(str(value["class"]), kind)
    rest = {key: item for key, item in value.items() if key != "class"}
    if cls is varComb:
        parts = [as_structure(part, "varFunc", "varComb") for part in rest.get("parts", ())]
        return _combine(parts, rest.get("names") or [""] * len(parts))
    if cls is pdBlocked:
        blocks = rest.get("blocks", ())
        rest["blocks"] = [
            b if isinstance(b, str) else as_structure(b, kind, "pdBlocked") for b in blocks
        ]
    return build(cls, rest)
