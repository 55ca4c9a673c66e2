"""``. ~ . + x``: a formula changed by another, as R's ``update.formula``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product

from ..errors import FormulaError
from .formula import Call, Constant, Name, Node, parse_formula
from .structure_text import formula_text

Term = frozenset  # of the texts of its variables


def updated_formula(old: str, new: str) -> str:
    """The formula ``new`` with the sides of ``old`` for its dots, its terms written out.

    Parameters
    ----------
    old : str
        ``"y ~ x * z"``.
    new : str
        ``". ~ . - x:z"``, ``"log(.) ~ ."``, ``"~ . + w"`` (the response stays).

    Returns
    -------
    str
        ``"y ~ x + z"``: what R's ``update(old, new)`` gives.

    Raises
    ------
    FormulaError
        Where one of them cannot be read.
    """
    before, after = parse_formula(old), parse_formula(new)
    if after.groups:
        raise FormulaError("groups belong into random, not into fixed", new, 0)
    response = before.lhs if after.lhs is None else _filled(after.lhs, before.lhs)
    right = _filled(after.rhs, before.rhs)
    left = f"{formula_text(response)} " if response is not None else ""
    return f"{left}~ {_written(right)}"


def _filled(node: Node, dot: Node | None, operand: bool = False) -> Node:
    """The tree with another one for its dots; as an operand an expression gets parentheses."""
    if _is_dot(node) and dot is not None:
        compound = isinstance(dot, Call) and not dot.function[0].isalpha()
        return Call("(", (dot,), ("",), node.pos) if compound and operand else dot
    if isinstance(node, Call):
        operator = not node.function[0].isalpha() and node.function != "("
        return replace(node, args=tuple(_filled(arg, dot, operator) for arg in node.args))
    return node


def _is_dot(node: Node) -> bool:
    return isinstance(node, Name) and node.name == "."


@dataclass(frozen=True)
class Terms:
    """Terms in the order of the formula, each a set of variables, and whether it has a constant."""

    terms: tuple[Term[str], ...] = ()
    constant: bool | None = None  # None: nothing said

    def plus(self, other: Terms) -> Terms:
        constant = self.constant if other.constant is None else other.constant
        return Terms(_once((*self.terms, *other.terms)), constant)

    def minus(self, other: Terms) -> Terms:
        constant = self.constant if other.constant is None else not other.constant
        return Terms(tuple(t for t in self.terms if t not in other.terms), constant)

    def by(self, other: Terms) -> Terms:
        return Terms(_once(a | b for a, b in product(self.terms, other.terms)), self.constant)

    def times(self, other: Terms) -> Terms:
        return self.plus(other).plus(replace(self.by(other), constant=None))

    def within(self, other: Terms) -> Terms:
        """Each term crossed with all variables of the other at once."""
        every: Term[str] = frozenset().union(*other.terms)
        return Terms(_once(term | every for term in self.terms))

    def nested(self, other: Terms) -> Terms:
        return self.plus(other.within(self))


def _once(terms: Iterable[Term[str]]) -> tuple[Term[str], ...]:
    return tuple(dict.fromkeys(terms))


def expanded(node: Node) -> Terms:
    """The terms of the right-hand side of a formula."""
    if isinstance(node, Constant) and node.value in (0, 1) and not isinstance(node.value, bool):
        return Terms(constant=bool(node.value))
    if not isinstance(node, Call) or node.function not in _OPERATORS:
        return Terms((frozenset([formula_text(node)]),))
    parts = node.args
    if node.function == "(":
        return expanded(parts[0])
    if len(parts) == 1:
        return expanded(parts[0]) if node.function == "+" else Terms().minus(expanded(parts[0]))
    if node.function == "^":
        return _power(parts[0], parts[1])
    left, *rest = map(expanded, parts)
    return reduce(_OPERATORS[node.function], rest, left)


def _power(base: Node, exponent: Node) -> Terms:
    times = exponent.value if isinstance(exponent, Constant) else None
    if not isinstance(times, float) or times not in range(1, 20):
        raise FormulaError("a power of terms is a whole number", formula_text(base), 0)
    terms = expanded(base)
    return reduce(Terms.times, [terms] * (int(times) - 1), terms)


_OPERATORS = {
    **{"+": Terms.plus, "-": Terms.minus, ":": Terms.by, "*": Terms.times},
    **{"/": Terms.nested, "%in%": Terms.within, "(": Terms.plus, "^": Terms.plus},
}


def _written(right: Node) -> str:
    """The terms by their order, lower ones first; within each the variables as they first stand."""
    found = expanded(right)
    order = {text: k for k, text in enumerate(_variables(right))}
    labels = [
        ":".join(sorted(term, key=order.__getitem__)) for term in sorted(found.terms, key=len)
    ]
    if found.constant is False:
        return f"{' + '.join(labels or ['1'])} - 1"
    return " + ".join(labels) or "1"


def _variables(node: Node) -> Iterable[str]:
    """The texts of the variables in the order in which the formula names them."""
    if isinstance(node, Call) and node.function in _OPERATORS:
        return dict.fromkeys(text for arg in node.args for text in _variables(arg))
    return [formula_text(node)]
