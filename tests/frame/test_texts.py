"""Predictors that are text and were meant as numbers: said where it is clear, and only there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rbridge.frame.texts import doubts
from rbridge.model.spec import gls_spec, lme_spec

MOSTLY = "column 'x' is text, nearly all of it numbers, and taken as a factor; not a number: "
COMMAS = (
    "column 'x' is text, numbers with a decimal comma, and taken as a factor; put a point into "
)


def said(x: list[str | None], formula: str = "y ~ x") -> list[str]:
    return list(doubts(gls_spec(formula), pd.DataFrame({"x": x, "y": range(len(x))})))


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (["31", "44", "57", "62", "70", ".", ".", None], MOSTLY + "'.' (2)"),
        (["2", "-1.5", "+3e2", ".5", "7.", "n/a"], MOSTLY + "'n/a' (1)"),
        ([".", "4", "9"], MOSTLY + "'.' (1)"),  # a mark: no letter, no digit
        (["-", "4", "9", "-"], MOSTLY + "'-' (2)"),
        ([*map(str, range(40)), "a", "b", "b", "c", "d"], MOSTLY + "'b' (2), 'a' (1), 'c' (1), …"),
        (["2,5", "3,5", "4", "5,1", "6,25"], COMMAS + "'2,5'"),
    ],
)
def test_what_is_said(x: list[str | None], told: str) -> None:
    advice = ": make it missing" * told.startswith(MOSTLY) + ", or write factor(x)"
    assert said(x) == [told + advice]
    assert said(x, "y ~ log(x) + x:x") == [told + advice]


@pytest.mark.parametrize(
    "x",
    [
        ["1", "2", "3", "4", "5", "6"],  # codes, all of them numbers
        ["1", "2", "3a", "3b", "4"],
        ["1", "2", "3", "n/a"],
        ["a", ".", "b"],
        ["2020-01-01", "2020-01-02", "2020-01-03"],
        ["1,2", "a"],
        [None, "a"],
    ],
)
def test_names_and_codes_are_no_numbers(x: list[str | None]) -> None:
    assert said(x) == []


def test_only_predictors_that_no_word_makes_a_factor() -> None:
    x = ["31", "44", "57", "62", "70", "."]
    data = pd.DataFrame({"x": x, "g": x, "y": np.arange(6.0)})
    assert said(x, "y ~ factor(x)") == [] and said(x, "x ~ y") == []
    assert not list(doubts(gls_spec("y ~ x"), data.astype({"x": "category"})))
    assert not list(doubts(lme_spec("y ~ 1", "~ 1 | g"), data))
    assert len(list(doubts(lme_spec("y ~ 1", "~ x | g"), data))) == 1
    assert len(list(doubts(gls_spec("y ~ x"), data.astype({"x": "string"})))) == 1
    spaced = data.rename(columns={"x": "my age"})
    assert "write factor(`my age`)" in next(doubts(gls_spec("y ~ `my age`"), spaced))
