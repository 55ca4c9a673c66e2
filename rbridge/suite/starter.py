"""A starter suite for a data file: what its columns look like, and a first model to change."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd

from ..datasets.sources import is_shipped, load_data
from ..errors import DataError

MANY = 0.5  # a column with more distinct values than this share of the rows groups nothing
FEW_LEVELS = 12  # numbers with fewer distinct values may be codes


def starter(data: str, folder: Path) -> str:
    """The text of a suite for ``data``, relative to ``folder``.

    Raises
    ------
    DataError
        The file cannot be read, or has no numeric column to model.
    """
    frame = load_data(data, folder)
    groups = group_candidates(frame)
    numeric = [name for name in frame if _is_numeric(frame[name]) and name not in groups[:1]]
    if not numeric:
        raise DataError(f"{data}: has no numeric column that could be a response")
    response = max(numeric, key=lambda name: int(frame[name].nunique()))
    others = [name for name in numeric if name != response]
    return _HEAD.format(
        data=_quoted(data),
        rows=len(frame),
        columns="\n".join(f"#   {_about(frame[name])}" for name in frame),
        groups=", ".join(map(str, groups)) or "none found",
        category=_categories(frame, groups[:1]),
        model=_model(data, response, others[:1], groups[:1]),
    )


def group_candidates(frame: pd.DataFrame) -> list[str]:
    """Columns that may group rows, the most levels first."""
    found = []
    for name in frame:
        column = frame[name]
        levels = column.nunique()
        codes = not _is_numeric(column) or (pd.api.types.is_integer_dtype(column) and levels > 2)
        if codes and 2 < levels <= MANY * len(frame):
            found.append(name)
    words = [name for name in found if not _is_numeric(frame[name])]
    return sorted(found, key=lambda name: (name not in words, -frame[name].nunique()))


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _about(column: pd.Series) -> str:
    levels, missing = column.nunique(), int(column.isna().sum())
    gaps = f", {missing} missing" if missing else ""
    if _is_numeric(column):
        code = "; a code? then list it under category" if levels <= FEW_LEVELS else ""
        return f"{column.name}: number, {column.min():g} to {column.max():g}{gaps}{code}"
    shown = ", ".join(map(str, column.dropna().unique()[:3]))
    return f"{column.name}: category, {levels} levels ({shown}{', …' if levels > 3 else ''}){gaps}"


def _categories(frame: pd.DataFrame, groups: list[str]) -> str:
    codes = [name for name in groups if _is_numeric(frame[name])]
    return (
        f"category = {json.dumps(codes)}"
        if codes
        else '# category = ["id"]  # numbers that are codes'
    )


def _model(data: str, response: str, covariates: list[str], groups: list[str]) -> str:
    right = " + ".join(map(_name, covariates)) or "1"
    lines = [f'name = "{_slug(data)}-1"', f"fixed = {_quoted(f'{_name(response)} ~ {right}')}"]
    if groups:
        lines.append(f"random = {_quoted(f'~ 1 | {_name(groups[0])}')}")
    return "\n".join(lines)


def _name(column: str) -> str:
    """The column as R writes it in a formula."""
    return column if re.fullmatch(r"[A-Za-z.][\w.]*", column) else f"`{column}`"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _slug(data: str) -> str:
    name = data if is_shipped(data) else Path(data).stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._") or "model"


_HEAD = """\
# A suite of rbridge: models that R and rbridge must agree on.
#   rbridge crosscheck --suite THIS-FILE       exit 0 agree, 1 disagree, 2 could not be checked
#   rbridge record --suite THIS-FILE -o refs/  then `rbridge crosscheck --against refs/` needs no R
#   rbridge suite schema                       the JSON schema, for an editor's completion

data = {data}   # {rows} rows
{category}
{columns}
# Columns that may group: {groups}

# [tolerance]      # relative; these are the defaults
# C = 1e-8         # expected information here against lmeInfo
# A = 0.05         # nlme's apVar against the exact observed information

[[model]]
{model}
# method = "ML"                                  # "REML" is the default
# contrasts = {{ treatment = "contr.sum" }}
# correlation = "corAR1(form = ~ time | id)"     # as in R, or {{ class = "corAR1", form = "…" }}
# weights = "varIdent(form = ~ 1 | treatment)"
# control = {{ opt = "optim" }}                    # nlme's lmeControl
# timeout = 300                                  # seconds that the model may take
# expect = {{ C = "known: lmeInfo does not take pdIdent" }}
"""
