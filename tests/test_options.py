"""A closed choice, a share, the word that was meant: one sentence each, wherever it is asked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rbridge.errors import DataError, SpecError
from rbridge.options import check_share, closest, did_you_mean, one_of

METHODS = ("delta", "expected", "observed")


def refusal(value: object, allowed: object = METHODS, **how: object) -> str:
    with pytest.raises(how.get("error", SpecError)) as caught:  # type: ignore[arg-type]
        one_of(value, allowed, "method", **how)  # type: ignore[arg-type]
    return str(caught.value)


def test_the_choice_itself_comes_back() -> None:
    assert one_of("delta", METHODS, "method") == "delta"
    assert type(one_of(np.int64(1), range(3), "level")) is int


def test_the_sentence_names_the_argument_and_the_choices() -> None:
    assert refusal("x") == "method must be one of delta, expected, observed, not 'x'"
    assert refusal("x", quote=True) == "method must be 'delta', 'expected' or 'observed', not 'x'"
    assert refusal("x", ["delta"], quote=True) == "method must be 'delta', not 'x'"
    assert refusal(2, [0, 1], shown=["0 (all)", "1 (g)"]).startswith(
        "method must be one of 0 (all),"
    )
    assert refusal(".xls", {".csv": print}) == "method must be one of .csv, not '.xls'"
    assert "not 'x'" in refusal("x", error=DataError)


@pytest.mark.parametrize(
    "value", [None, [], {"delta"}, np.eye(2), pd.Series(["delta"]), ([],), b"delta", "DELTA"]
)
def test_what_cannot_be_a_choice_is_refused_in_the_same_words(value: object) -> None:
    assert refusal(value).startswith("method must be one of delta")


@pytest.mark.parametrize("level", [0, 1, 95, -0.1, float("nan")])
def test_a_share_lies_between(level: float) -> None:
    with pytest.raises(SpecError, match=f"level must lie between 0 and 1, not {level}"):
        check_share(level)
    check_share(0.95)


def test_the_word_that_was_meant() -> None:
    assert closest("maxiter", ["maxIter", "msMaxIter"]) == "maxIter"
    assert closest("zzz", ["maxIter"]) == "" == did_you_mean("zzz", ["maxIter"])
    assert did_you_mean("dat", {"data": str}) == "; did you mean 'data'?"
    assert did_you_mean("corAr1", ["corAR1"], quote=False) == "; did you mean corAR1?"
