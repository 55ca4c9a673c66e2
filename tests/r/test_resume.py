"""A resumed run of many fits: results of other data are refused, whatever has changed in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.many.result_file import ResultFileError

QUIET = dict(progress=False)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"g": np.repeat([1, 2], 24), "subject": np.arange(48) // 4 % 6})
    frame["dose"] = np.tile([1, 2, 3, 4], 12)
    return frame.assign(y=frame.dose + np.repeat(rng.normal(size=12), 4) + rng.normal(size=48))


def categories(*levels: int, ordered: bool = False) -> Callable[[pd.Series], pd.Series]:
    return lambda s: s.astype(pd.CategoricalDtype(list(levels), ordered=ordered))


OTHER: dict[str, Callable[[pd.Series], pd.Series]] = {
    "a category": categories(1, 2, 3, 4),
    "another reference level": categories(4, 2, 3, 1),
    "ordered": categories(1, 2, 3, 4, ordered=True),
    "text": lambda s: s.astype(str),
    "text as category": lambda s: s.astype(str).astype("category"),
}


def many(data: pd.DataFrame, path: Path) -> Any:
    return rb.lme_many("y ~ dose", data, "~ 1 | subject", by="g", file=path, **QUIET)


def test_every_coding_of_a_covariate_is_another_data_set(
    data: pd.DataFrame, tmp_path: Path
) -> None:
    codings = [data, *(data.assign(dose=change(data.dose)) for change in OTHER.values())]
    for k, coded in enumerate(codings):
        many(coded, tmp_path / f"{k}.jsonl")
        for other in codings[:k]:
            with pytest.raises(ResultFileError, match="other models, data"):
                many(other, tmp_path / f"{k}.jsonl")


def test_a_row_that_stands_twice_comes_once(data: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    first = many(data, path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, *lines[1:]]))
    pd.testing.assert_frame_equal(many(data, path), first)


@pytest.mark.parametrize("item", ["2", '"0"', "true", "-1"])
def test_a_row_of_no_fit_is_refused(data: pd.DataFrame, tmp_path: Path, item: str) -> None:
    path = tmp_path / "many.jsonl"
    many(data, path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, lines[1].replace(b'"item": 0', f'"item": {item}'.encode())]))
    with pytest.raises(ResultFileError, match="line 4 is damaged"):
        many(data, path)
