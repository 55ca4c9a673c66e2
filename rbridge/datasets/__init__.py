"""Small real data from R's nlme, with provenance; made by r_scripts/export_datasets.R."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

from ..errors import DataError
from ..options import closest

__all__ = ["describe", "load", "names"]


def names() -> list[str]:
    """The names that `load` knows."""
    return list(_catalogue()["datasets"])


def describe(name: str) -> dict[str, Any]:
    """Title, source, rows, each column's kind and levels, and the R and nlme that gave the data."""
    key = _known(name)
    where_from = {of: value for of, value in _catalogue().items() if of != "datasets"}
    return deepcopy({"name": key, **_catalogue()["datasets"][key], **where_from})


def load(name: str) -> pd.DataFrame:
    """A data set as a frame: lower-case columns, factors as categories in nlme's order of levels.

    A category is ordered only where its values are: grouping factors, which nlme orders by the
    mean response, are not.
    """
    about = describe(name)
    columns = about["columns"]
    text = {column: str for column, kind in columns.items() if kind["kind"] == "category"}
    with (files(__name__) / f"{about['name']}.csv").open(encoding="utf-8") as lines:
        # "None" is a level, not a gap: only the empty field is missing
        data = pd.read_csv(
            lines,
            dtype=text,
            keep_default_na=False,
            na_values=[""],
            float_precision="round_trip",
        )
    for column in text:
        factor = columns[column]
        ordered = factor["ordered"] and not factor["grouping"]
        data[column] = pd.Categorical(data[column], categories=factor["levels"], ordered=ordered)
    return data


@cache
def _catalogue() -> dict[str, Any]:
    text = (files(__name__) / "datasets.json").read_text(encoding="utf-8")
    catalogue: dict[str, Any] = json.loads(text)
    return catalogue


def _known(name: str) -> str:
    key = str(name).lower()
    if key in _catalogue()["datasets"]:
        return key
    near = closest(key, names())
    hint = f" Did you mean {near!r}?" if near else ""
    raise DataError(f"There is no data set {name!r}.{hint} There are: {', '.join(names())}.")
