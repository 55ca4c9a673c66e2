"""Columns of text that were meant as numbers: each text would be a level of a factor."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from ..model.formula import Call, Name, Node, quoted
from ..model.spec import ModelSpec

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_COMMA = re.compile(r"\s*[+-]?\d*,\d+\s*")
_FEWEST, _SHARE = 5, 0.8  # numbers, and their share of the distinct texts
_SHOWN = 3
_FACTORS = ("factor", "as.factor", "ordered")


def doubts(spec: ModelSpec, data: pd.DataFrame) -> Iterator[str]:
    """What to say of predictors that are text and nearly all of it numbers."""
    for name in _predictors(spec):
        if name in data and is_of_text(data[name]):
            counts = {str(text): int(n) for text, n in data[name].value_counts().items()}
            if told := _told(counts):
                what = f"column {name!r} is text, {told[0]}, and taken as a factor"
                yield f"{what}; {told[1]}, or write factor({quoted(name)})"


def is_of_text(series: pd.Series) -> bool:
    """Whether all that it holds is text, and no category."""
    if pd.api.types.is_object_dtype(series.dtype):
        return str(pd.api.types.infer_dtype(series, skipna=True)) == "string"
    return isinstance(series.dtype, pd.StringDtype)


def no_number(series: pd.Series) -> str:
    """A text of the column that R reads as no number; where there is none, its first."""
    texts = [str(text) for text in series.dropna().unique()]
    return next((text for text in texts if not _NUMBER.fullmatch(text)), texts[0])


def _predictors(spec: ModelSpec) -> list[str]:
    """Columns of the fixed and random effects that no call makes a factor of."""
    forms = [s.formula() for s in spec.structures() if s.kind == "pdMat"]
    sides = [spec.formula.rhs, *(form.rhs for form in forms if form)]
    return list(dict.fromkeys(name for side in sides for name in _read(side)))


def _read(node: Node) -> Iterator[str]:
    if isinstance(node, Name):
        yield node.name
    if isinstance(node, Call) and node.function not in _FACTORS:
        for arg in node.args:
            yield from _read(arg)


def _told(counts: Mapping[str, int]) -> tuple[str, str] | None:
    """What the texts are, and what to do with which; None where they may be names or codes."""
    others = {text: n for text, n in counts.items() if not _NUMBER.fullmatch(text)}
    numbers = len(counts) - len(others)
    if others and all(map(_COMMA.fullmatch, others)) and len(counts) >= _FEWEST:
        return "numbers with a decimal comma", f"put a point into {next(iter(others))!r}"
    if others and (_mostly(numbers, len(counts)) or _marks(others, numbers)):
        shown = ", ".join(f"{text!r} ({n})" for text, n in list(others.items())[:_SHOWN])
        more = ", …" if len(others) > _SHOWN else ""
        return "nearly all of it numbers", f"not a number: {shown}{more}: make it missing"
    return None


def _mostly(numbers: int, distinct: int) -> bool:
    return numbers >= _FEWEST and numbers >= _SHARE * distinct


def _marks(others: Mapping[str, Any], numbers: int) -> bool:
    """Numbers beside one mark without a letter or digit, as other programs write a missing one."""
    return numbers > 1 and len(others) == 1 and not any(map(str.isalnum, "".join(others)))
