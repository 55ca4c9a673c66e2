"""What data are, as parsed columns: a shuffled table, moved columns and changed values told apart.

The bytes of a file say less: line ends, quotes and "1.50" for "1.5" change them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..errors import RecordError

DataPrint = Mapping[str, Any]


def data_print(frame: pd.DataFrame) -> dict[str, Any]:
    """Rows, a SHA-256 of every column in order, and one of the rows in any order.

    Returns
    -------
    dict
        ``rows``; ``columns``, a mapping of name to hash, in the table's order; ``in_any_order``,
        a mapping of name to the hash of its values sorted; ``row_set``, of all rows sorted.
    """
    cells = {str(name): _cells(frame[name]) for name in frame}
    rows = sorted(zip(*(cells[name] for name in sorted(cells))))
    return {
        "rows": len(frame),
        "columns": {name: _hashed(values) for name, values in cells.items()},
        "in_any_order": {name: _hashed(sorted(values)) for name, values in cells.items()},
        "row_set": _hashed(_hashed(row).encode() for row in rows),
    }


def _cells(column: pd.Series) -> list[bytes]:
    """Each value as bytes: by what it is, not by how it is stored or was written."""
    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):  # the order of the levels is part of the data
        levels = "\0".join(map(str, kind.categories))
        head = f"category {kind.ordered} {levels}: ".encode("utf-8", "surrogatepass")
        return [head + _text(value) for value in column]
    if pd.api.types.is_numeric_dtype(kind):
        numbers = column.to_numpy(dtype=float, na_value=np.nan) + 0.0  # -0 is 0
        stored = np.where(np.isnan(numbers), np.nan, numbers).astype("<f8").tobytes()
        return [b"number " + stored[at : at + 8] for at in range(0, len(stored), 8)]
    return [_text(value) for value in column]


def _text(value: Any) -> bytes:
    if pd.isna(value):
        return b"missing"
    return f"text {value}".encode("utf-8", "surrogatepass")


def _hashed(values: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for value in values:
        found.update(len(value).to_bytes(8, "big") + value)
    return found.hexdigest()


# --- what changed -----------------------------------------------------------------------------

SAME, COLUMNS, ROWS, VALUES = "same", "columns", "rows", "values"


def change(then: DataPrint, now: DataPrint, used: Iterable[str]) -> tuple[str, str]:
    """How data changed, and in words.

    Parameters
    ----------
    then, now : as from :func:`data_print`
    used : iterable of str
        Columns that the model looks at; what happened to the others is told, and is no change.

    Returns
    -------
    kind : {"same", "columns", "rows", "values"}
        The same values; in another order of columns (or beside other columns that the model does
        not use); in another order of rows; other values.
    words : str

    Raises
    ------
    RecordError
        ``then`` is no such print.
    """
    try:
        return _change(then, now, set(used))
    except (LookupError, TypeError, AttributeError) as error:
        raise RecordError(f"the record's columns of the data are damaged ({error!r})") from None


def _change(then: DataPrint, now: DataPrint, used: set[str]) -> tuple[str, str]:
    old, new = then["columns"], now["columns"]
    if then["rows"] != now["rows"]:
        return VALUES, f"{then['rows']} rows then, {now['rows']} now"
    if list(old.items()) == list(new.items()):
        return SAME, "the same values (line ends, quotes or digits are written differently)"
    if old == new:
        return COLUMNS, "the columns stand in another order; all values are the same"
    if then["row_set"] == now["row_set"]:
        return ROWS, "the rows stand in another order; all values are the same"
    return _other_values(then, now, used)


def _other_values(then: DataPrint, now: DataPrint, used: set[str]) -> tuple[str, str]:
    old, new = then["columns"], now["columns"]
    lost, more = [n for n in old if n not in new], [n for n in new if n not in old]
    both = [n for n in old if n in new and old[n] != new[n]]
    moved = [n for n in both if then["in_any_order"][n] == now["in_any_order"][n]]
    other = [n for n in both if n not in moved]
    parts = [
        f"{what} {', '.join(names)}"
        for what, names in (
            ("gone:", lost),
            ("new:", more),
            ("other values in", other),
            ("the same values on other rows in", moved),
        )
        if names
    ]
    text = "; ".join(parts)
    if used.isdisjoint([*lost, *both]):
        return COLUMNS, f"{text} (not used by the model)"
    return VALUES, text
