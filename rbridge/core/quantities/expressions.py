"""Arithmetic on a fit's components as text: read by Python's parser, never evaluated by Python."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from ...errors import SpecError
from .quantity import Point, Quantity
from .vocabulary import Vocabulary

_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    **{name: getattr(np, name) for name in "sqrt exp log log2 log10 tanh arctanh".split()},
    "log1p": lambda x: np.log(1 + x),
    "expm1": lambda x: np.exp(x) - 1,
    "abs": lambda x: x * np.sign(np.real(x)),  # analytic on either side of zero
    "logit": lambda x: np.log(x / (1 - x)),
    "expit": lambda x: 1 / (1 + np.exp(-x)),
    "pnorm": special.ndtr,  # accepts complex
}
_ALLOWED = f"+ - * / **, parentheses, {', '.join(_FUNCTIONS)}"


def read(text: str, vocabulary: Vocabulary) -> dict[str, Quantity]:
    """Named quantities from text, one a line (or separated by ``;``).

    Parameters
    ----------
    text : str
        ``name = expression``, or an expression, which is its own name. Later lines may use the
        names of earlier ones. Names that are no Python words go in quotes or backquotes.
    vocabulary : Vocabulary

    Raises
    ------
    SpecError
        The text cannot be read, names what is not there, or uses more than arithmetic.
    """
    quoted = re.sub(r"`([^`\n]*)`", lambda match: repr(match[1]), text)
    source = "\n".join(line.strip() for line in quoted.splitlines())  # indentation says nothing
    try:
        body = ast.parse(source).body
        reader = _Interpreter(source, vocabulary)
        for statement in body:
            reader.add(statement)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, SpecError):
            raise
        hint = "write 'name = expression'; names that are no plain words go in quotes"
        raise SpecError(f"cannot read {text[:200]!r}: {hint}") from None
    if not reader.found:
        raise SpecError("nothing to derive: the text is empty")
    return reader.found


class _Interpreter:
    """The quantities defined so far, and how to build the next."""

    def __init__(self, source: str, vocabulary: Vocabulary) -> None:
        self.found: dict[str, Quantity] = {}
        self._source = source
        self._vocabulary = vocabulary

    def add(self, statement: ast.stmt) -> None:
        """Read one line."""
        if isinstance(statement, ast.Expr):
            name, node = self._text(statement.value), statement.value
        elif isinstance(statement, ast.Assign) and self._is_name(statement.targets):
            name, node = self._text(statement.targets[0]), statement.value
            if self._vocabulary.word(name) is not None:
                raise SpecError(f"{name!r} is a component already: choose another name")
        else:
            text = self._text(statement)
            raise SpecError(f"{text!r}: write 'name = expression', or an expression")
        if name in self.found:
            raise SpecError(f"{name!r} is defined twice")
        self.found[name] = self._build(node)

    def _is_name(self, targets: list[ast.expr]) -> bool:
        return len(targets) == 1 and isinstance(targets[0], ast.Name)

    def _text(self, node: ast.AST) -> str:
        return ast.get_source_segment(self._source, node) or ""

    def _build(self, node: ast.expr) -> Quantity:
        word = self._word(node)
        if word is not None:
            return word
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            number = np.float64(node.value)
            return Quantity("coefficient", lambda p: number)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return _combined(type(node.op), self._build(node.left), self._build(node.right))
        if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
            return _combined(type(node.op), self._build(node.operand))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node, node.func.id)
        raise self._refusal(node)

    def _word(self, node: ast.expr) -> Quantity | None:
        """A quantity that the text of the node names: defined before, or a component."""
        if isinstance(node, ast.Constant) and not isinstance(node.value, str):
            return None
        text = node.value if isinstance(node, ast.Constant) else self._text(node)
        return self.found.get(text) or self._vocabulary.word(text)

    def _call(self, node: ast.Call, name: str) -> Quantity:
        if name in _FUNCTIONS:
            if len(node.args) != 1:
                raise SpecError(f"{self._text(node)!r}: {name} takes one argument")
            inner, function = self._build(node.args[0]), _FUNCTIONS[name]
            return Quantity("coefficient", lambda p: function(inner.value(p)))
        component = self._vocabulary.function(name)
        if component is None:
            raise self._refusal(node)
        return component([self._argument(argument) for argument in node.args])

    def _argument(self, node: ast.expr) -> str:
        return str(node.value) if isinstance(node, ast.Constant) else self._text(node)

    def _refusal(self, node: ast.expr) -> SpecError:
        text = self._text(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor):
            return SpecError(f"{text!r}: a power is written **")
        name = node.value if isinstance(node, ast.Constant) else text
        if isinstance(node, (ast.Name, ast.Attribute)) or isinstance(name, str) and name != text:
            return self._vocabulary.unknown(name)
        return SpecError(f"{text!r} is not allowed; allowed are components and {_ALLOWED}")


def _combined(kind: type, *parts: Quantity) -> Quantity:
    function = _OPERATORS[kind]

    def value(p: Point) -> Any:
        return function(*(part.value(p) for part in parts))

    return Quantity("coefficient", value)
