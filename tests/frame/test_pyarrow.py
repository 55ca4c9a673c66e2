"""The reader of Arrow's stream against pyarrow, another's writer, where there is one (Debian's
python3-pyarrow, from forky on; `docker/stack.sh forky` has it)."""

import datetime as dt
from decimal import Decimal

import pandas as pd
import pytest

from rbridge.frame.columns import column
from rbridge.frame.incoming import as_frame

pa = pytest.importorskip("pyarrow")

COLUMNS = {
    "bool": ([True, None, False], pa.bool_()),
    "int8": ([1, None, -3], pa.int8()),
    "uint64": ([1, 2, 2**53], pa.uint64()),
    "half": ([1.5, None, -3.0], pa.float16()),
    "double": ([1.5, None, -3.0], pa.float64()),
    "decimal": ([Decimal("1.25"), None, Decimal("-0.03")], pa.decimal128(9, 2)),
    "wide decimal": ([Decimal("1.25"), None, Decimal("-0.03")], pa.decimal256(50, 2)),
    "text": (["ä", None, "z" * 20], pa.string()),
    "large text": (["ä", None, "z" * 20], pa.large_string()),
    "views": (["ä", None, "z" * 20], pa.string_view()),
    "date32": ([dt.date(2016, 7, 18), None, dt.date(1969, 12, 31)], pa.date32()),
    "date64": ([dt.date(2016, 7, 18), None, dt.date(1969, 12, 31)], pa.date64()),
    "moment": ([dt.datetime(2016, 7, 18, 3), None, dt.datetime(1969, 12, 31)], pa.timestamp("us")),
    "zoned": ([dt.datetime(2016, 7, 18, 3), None, None], pa.timestamp("ms", "Europe/Paris")),
    "duration": ([dt.timedelta(seconds=3), None, dt.timedelta(days=-1)], pa.duration("ns")),
    "category": (["b", None, "a"], pa.dictionary(pa.int16(), pa.string())),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_pyarrow_columns_are_those_of_its_own_conversion(name):
    values, kind = COLUMNS[name]
    base = pa.array(values, pa.string() if name == "category" else kind)
    array = base.dictionary_encode() if name == "category" else base
    table = pa.concat_tables([pa.table({"c": array}), pa.table({"c": array}).slice(1)])
    found, wanted = column(as_frame(table)["c"], "c"), column(table.to_pandas()["c"], "c")
    assert (found.levels, found.zone) == (wanted.levels, wanted.zone)
    assert pd.Series(found.values).equals(pd.Series(wanted.values).astype(found.values.dtype))


def test_nested_columns_are_left_out_and_named():
    frame = as_frame(pa.table({"x": [1.0, 2.0], "nested": [[1], [2]]}))
    assert list(frame) == ["x"] and "nested" in str(frame.attrs)
