"""Linear hypotheses about the fixed effects as a user writes them: text, matrix or frame."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import pandas as pd

from ..core.arrays import Array
from ..errors import SpecError
from ..options import check_one_each, did_you_mean

HypothesisLike = Union[str, Mapping[str, float], pd.Series, pd.DataFrame, Sequence[Any], Array]
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WORD = re.compile(r"[^\s+\-*/=,()]+")
_DEEPEST = 200  # brackets: Python's own stack ends at a thousand calls
_TOO_EARLY = "end of the hypothesis"


@dataclass(frozen=True)
class HypothesisRows:
    """Lβ = c: ``L`` (q, p), ``rhs`` (q,), and a label for each row."""

    L: Array
    rhs: Array
    labels: tuple[str, ...]


def rows_of_hypothesis(what: HypothesisLike, coefficients: Sequence[str]) -> HypothesisRows:
    """The rows of a hypothesis.

    Parameters
    ----------
    what : str, DataFrame, Series, mapping or array
        Text: equations between linear combinations of coefficients, separated by commas or
        lines (``"age = 0, age:sex1 = 2 * sex1"``; without ``=``, ``= 0``). A frame has a row a
        hypothesis and a column a coefficient, those that are 0 may be left out; a Series or
        mapping is one such row. An array is (q, p) or (p,), in the order of the coefficients.
    coefficients : sequence of str, length p

    Raises
    ------
    SpecError
        An unknown coefficient, with the one that was meant; text that is no linear equation.
    """
    if isinstance(what, str):
        return _Equations(what, coefficients).rows()
    if isinstance(what, (Mapping, pd.Series)):
        what = pd.DataFrame([dict(what)])
    if isinstance(what, pd.DataFrame):
        return _from_frame(what, coefficients)
    L = _numbers(what)
    if L.ndim != 2 or L.shape[1] != len(coefficients):
        raise SpecError(f"the hypothesis has shape {L.shape}: it needs {len(coefficients)} columns")
    return HypothesisRows(L, np.zeros(len(L)), tuple(_text(row, coefficients) for row in L))


def _from_frame(what: pd.DataFrame, coefficients: Sequence[str]) -> HypothesisRows:
    for name in what.columns:
        if name not in coefficients:
            raise SpecError(_unknown(str(name), coefficients))
    check_one_each(coefficients, what.columns)
    if not what.columns.is_unique:
        twice = what.columns[what.columns.duplicated()][0]
        raise SpecError(f"the hypothesis has a column {twice!r} twice")
    L = _numbers(what.reindex(columns=list(coefficients), fill_value=0.0))
    named = not isinstance(what.index, pd.RangeIndex)
    labels = [str(name) if named else _text(row, coefficients) for name, row in zip(what.index, L)]
    return HypothesisRows(L, np.zeros(len(L)), tuple(labels))


def _numbers(what: Any) -> Array:
    try:
        rows: Array = np.atleast_2d(np.asarray(what, dtype=float))
    except (TypeError, ValueError):
        raise SpecError(
            "the hypothesis must be text, such as 'age = 0', or weights of the coefficients "
            "in numbers"
        ) from None
    return rows


def _text(row: Array, coefficients: Sequence[str], rhs: float = 0.0) -> str:
    """``age − 2·sex1 = 0``."""
    parts = []
    for weight, name in zip(row, coefficients):
        if weight:
            size = "" if abs(weight) == 1 else f"{abs(weight):.4g}·"
            parts.append(("− " if weight < 0 else "+ ") + size + name)
    left = " ".join(parts).removeprefix("+ ") or "0"
    return f"{left} = {rhs:.4g}"


def _unknown(name: str, coefficients: Sequence[str]) -> str:
    hint = did_you_mean(name, coefficients) or f" (there are {', '.join(coefficients)})"
    return f"there is no coefficient {name!r}{hint}"


class _Equations:
    """Reads equations by recursive descent; every value is (p + 1,): weights and a constant."""

    def __init__(self, text: str, coefficients: Sequence[str]) -> None:
        self._text, self._names = text, list(coefficients)
        self._longest_first = sorted(coefficients, key=len, reverse=True)
        self._tokens = self._tokenised()

    def rows(self) -> HypothesisRows:
        if self._text.count("(") > _DEEPEST:
            raise SpecError(f"the hypothesis has more than {_DEEPEST} brackets")
        found = [self._equation()]
        while self._take(","):
            found.append(self._equation())
        if self._tokens:
            kind, value = self._tokens[0]
            self._fail(self._names[value] if kind == "name" else value)
        values = np.array(found)
        L, rhs = values[:, :-1], 0.0 - values[:, -1]
        labels = tuple(_text(row, self._names, c) for row, c in zip(L, rhs))
        return HypothesisRows(L, rhs, labels)

    def _tokenised(self) -> list[tuple[str, Any]]:
        tokens, rest = [], re.sub(r"\s*\n\s*", ",", self._text.strip())
        while rest:
            kind, value, length = self._next(rest)
            tokens.append((kind, value))
            rest = rest[length:].lstrip()
        return tokens

    def _next(self, rest: str) -> tuple[str, Any, int]:
        if rest[0] == "`" and "`" in rest[1:]:
            name = rest[1 : rest.index("`", 1)]
            return "name", self._known(name), len(name) + 2
        for name in self._longest_first:
            if rest.startswith(name) and not _WORD.match(rest[len(name) :]):
                return "name", self._known(name), len(name)
        if number := _NUMBER.match(rest):
            if not _WORD.match(rest[number.end() :]):
                return "number", float(number[0]), number.end()
        if rest[0] in "+-*/=,()":
            return rest[0], rest[0], 1
        word = _WORD.match(rest)
        assert word is not None
        return "name", self._known(word[0]), word.end()

    def _known(self, name: str) -> int:
        if name not in self._names:
            raise SpecError(_unknown(name, self._names))
        check_one_each(self._names, [name])
        return self._names.index(name)

    def _take(self, *kinds: str) -> str:
        if self._tokens and self._tokens[0][0] in kinds:
            return self._tokens.pop(0)[0]
        return ""

    def _fail(self, at: Any) -> None:
        raise SpecError(f"{self._text!r} is no linear hypothesis (at {at!r})")

    def _equation(self) -> Array:
        left = self._sum()
        return left - self._sum() if self._take("=") else left

    def _sum(self) -> Array:
        sign = -1.0 if self._take("+", "-") == "-" else 1.0
        total = sign * self._product()
        while operator := self._take("+", "-"):
            total = total + (1.0 if operator == "+" else -1.0) * self._product()
        return total

    def _product(self) -> Array:
        value = self._factor()
        while operator := self._take("*", "/"):
            other = self._factor()
            constant, scaled = (other, value) if not other[:-1].any() else (value, other)
            if constant[:-1].any() or (operator == "/" and (constant is value or not constant[-1])):
                raise SpecError(f"{self._text!r} is not linear in the coefficients")
            value = scaled * constant[-1] if operator == "*" else scaled / constant[-1]
        return value

    def _factor(self) -> Array:
        kind, value = self._tokens.pop(0) if self._tokens else ("", _TOO_EARLY)
        out = np.zeros(len(self._names) + 1)
        if kind == "name":
            out[value] = 1.0
        elif kind == "number":
            out[-1] = value
        elif kind == "(":
            out = self._sum()
            if not self._take(")"):
                self._fail("a bracket that is not closed")
        else:
            self._fail(value)
        return out
