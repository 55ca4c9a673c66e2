"""pandas → R: one test for each row of the bridge's table (docs/bridge.md)."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.errors import DataError
from rbridge.frame.columns import column
from tests.support.bridging import grouped, through_r
from tests.support.processes import says

NA = float("nan")


def refused(values, message):
    with pytest.raises(DataError, match=message) as caught:
        column(pd.Series(values), "the column")
    assert "'the column'" in str(caught.value)


def test_object_bool_with_nan_is_logical_with_na():
    back = through_r(pd.Series([True, NA, False], dtype=object))
    assert back.dtype == "boolean" and back.isna().tolist() == [False, True, False]
    frame = grouped()
    flag = pd.Series(np.where(frame.x > 0, True, False), dtype=object)
    flag[frame.index % 3 == 0] = NA
    fit = rb.lme("y ~ flag", frame.assign(flag=flag), "~ 1 | g")
    assert fit.nobs == 40 and fit.snapshot.n_dropped == 20


@pytest.mark.parametrize(
    "name",
    [
        "row.names",
        "check.rows",
        "fix.empty.names",
        "stringsAsFactors",
        "check.names",
        "data",
        "...",
    ],
)
def test_columns_named_like_arguments_of_data_frame(name):
    plain = rb.lme("y ~ x", grouped(), "~ 1 | g")
    fit = rb.lme(f"y ~ `{name}`", grouped().rename(columns={"x": name}), "~ 1 | g")
    assert list(fit.params.index) == ["(Intercept)", name]
    assert fit.params.tolist() == plain.params.tolist()


def test_duplicate_column_names_raise():
    frame = pd.concat([grouped(), grouped()[["x"]] * 2], axis=1)
    with pytest.raises(DataError, match="'x' stands 2 times"):
        rb.lme("y ~ x", frame, "~ 1 | g")


def test_frame_without_columns_raises():
    with pytest.raises(DataError, match="no columns"):
        rb.lme("y ~ x", pd.DataFrame(index=range(3)), "~ 1 | g")


def test_date_objects_are_dates():
    days = [dt.date(2020, 2, 29), None, dt.date(1969, 12, 31)]
    back = through_r(pd.Series(days, dtype=object))
    assert back.dt.date.tolist()[::2] == days[::2] and back.isna()[1]
    assert column(pd.Series(days), "d").kind == "date"


def test_naive_datetime_in_a_dst_gap_is_kept():
    stamps = pd.to_datetime(["2021-03-28 02:30:00", "2021-03-28 03:30:00", None])
    code = """
        import pandas as pd
        from tests.support.bridging import through_r
        print(through_r(pd.to_datetime(["2021-03-28 02:30:00"])).iloc[0])
    """
    assert through_r(stamps).dt.tz_localize(None).tolist()[:2] == stamps.tolist()[:2]
    assert says(code, TZ="Europe/Paris").startswith("2021-03-28 02:30:00")


def test_minus_two_to_the_31_is_a_number():
    for dtype in ("int32", "int64"):
        back = through_r(pd.Series([-(2**31), 5], dtype=dtype))
        assert back.tolist() == [-(2.0**31), 5.0]


def test_nul_in_text_raises():
    refused(["ab\0c", "ab"], "NUL")
    refused(pd.Categorical(["ab\0c", "ab"]), "NUL")


@pytest.mark.parametrize(
    "categories",
    [
        [10, 2, 1],
        [2.5, 0.5, 1.5],
        [True, False],
        list(pd.interval_range(0, 3).astype(object)[::-1]),
        [dt.date(2021, 1, 1), dt.date(2020, 1, 1)],
        ["z", "a", "m"],
    ],
)
def test_categories_of_any_type_keep_their_order(categories):
    values = pd.Categorical([*categories, None], categories)
    back = through_r(values)
    assert back.cat.categories.tolist() == [str(c) for c in categories]
    assert back.cat.codes.tolist() == [*range(len(categories)), -1]


def test_categories_that_read_the_same_raise():
    refused(pd.Categorical([1, "1"], [1, "1"]), "read the same")


@pytest.mark.parametrize("dtype", ["int64", "Int64", "uint64"])
def test_large_integers_are_doubles_or_refused(dtype):
    back = through_r(pd.Series([2**31, 2**53], dtype=dtype))
    assert back.dtype == "float64" and back.tolist() == [2.0**31, 2.0**53]
    refused(pd.Series([2**53 + 1], dtype=dtype), "2\\^53")


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([5, 1], dtype="uint32"),
        pd.Series([5, 1], dtype="uint64"),
        pd.Series([5, 1], dtype="Float32"),
        pd.Series(pd.arrays.SparseArray([5.0, 1.0])),
        pd.Series(np.array([5, 1], dtype=">i4")),
        pd.Series(np.array([5, 1], dtype=">f8")),
        pd.Series(np.array([5, 1], dtype="float16")),
    ],
    ids=lambda values: str(values.dtype),
)
def test_unusual_numbers_are_numbers(values):
    assert through_r(values).tolist() == [5, 1]


@pytest.mark.parametrize(
    "values",
    [[1.5, 2.5], [1, 2.5], [Decimal("1.5"), 2], [Fraction(3, 2), 2], [1.5, None], [3, None]],
)
def test_objects_that_are_all_numbers_are_doubles(values):
    back = through_r(pd.Series(values, dtype=object))
    expected = [NA if v is None else float(v) for v in values]
    assert back.dtype == "float64" and np.array_equal(back, expected, equal_nan=True)


@pytest.mark.parametrize(
    "values",
    [[1, "a"], [[1], [2]], [{"a": 1}], [pd.DataFrame()], [b"a"], [True, 1], ["a", True], [1j]],
    ids=str,
)
def test_objects_of_mixed_types_raise(values):
    refused(pd.Series([*values, None], dtype=object), "make it one type|complex")


def test_all_missing_objects_raise():
    refused(pd.Series([None, NA], dtype=object), "no data")


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "America/New_York"])
def test_time_zones_are_kept(zone):
    stamps = pd.Series(
        pd.to_datetime(["2021-07-01 12:00", "2021-01-01 12:00", None])
    ).dt.tz_localize(zone)
    back = through_r(stamps)
    assert str(back.dt.tz) == zone
    assert back.tolist()[:2] == stamps.tolist()[:2] and back.isna()[2]


def test_fixed_offsets_keep_the_instant():
    stamps = pd.Series(pd.to_datetime(["2021-07-01 12:00+05:30", "2021-01-01 12:00+05:30"]))
    back = through_r(stamps)
    assert [t.timestamp() for t in back] == [t.timestamp() for t in stamps]


def test_timedeltas_are_seconds_and_periods_raise():
    spans = pd.Series(pd.to_timedelta(["1h", None, "1.5s"]))
    assert column(spans, "x").values.tolist()[::2] == [3600.0, 1.5]
    assert through_r(spans).tolist()[::2] == spans.tolist()[::2]
    refused(pd.period_range("2020", periods=3, freq="M"), "to_timestamp")


def test_complex_and_infinite_raise_with_the_count():
    refused([1 + 2j, 1], "complex")
    refused([1.0, np.inf, -np.inf], "2 infinite")


def test_lone_surrogates_raise_with_the_column():
    refused(pd.Series(["a\ud800", "b"], dtype=object), "surrogate")


def test_column_names_that_are_no_text():
    frame = grouped().rename(columns={"x": 3})
    with pytest.raises(DataError, match="not text"):
        rb.lme("y ~ `3`", frame, "~ 1 | g")
    many = pd.concat({"a": grouped()}, axis=1)
    with pytest.raises(DataError, match="no column 'y'"):
        rb.lme("y ~ x", many, "~ 1 | g")


def test_the_empty_column_name_is_a_name():
    fit = rb.lme("y ~ ``", grouped().rename(columns={"x": ""}), "~ 1 | g")
    assert fit.params.tolist() == rb.lme("y ~ x", grouped(), "~ 1 | g").params.tolist()


@pytest.mark.parametrize(
    "index",
    [
        pd.MultiIndex.from_product([range(12), range(5)]),
        pd.Index([7] * 60),
        pd.date_range("2020", periods=60),
    ],
    ids=["multi", "repeated", "dates"],
)
def test_the_index_of_the_rows_is_ignored(index):
    fit = rb.lme("y ~ x", grouped().set_axis(index), "~ 1 | g")
    assert fit.params.tolist() == rb.lme("y ~ x", grouped(), "~ 1 | g").params.tolist()
    assert fit.fittedvalues.index.equals(index)


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1, None, 3], dtype="Int64"),
        pd.Series([True, None, False], dtype="boolean"),
        pd.Series([1.5, None, 3], dtype="Float64"),
        pd.Series(["a", None, "b"], dtype="string"),
        pd.Series(["a", None, "é 😀"]),
        pd.Series(pd.Categorical(["b", None, "a"], ["c", "b", "a"], ordered=True)),
        pd.Series(np.array([1, 2, 3], dtype="float32")),
        pd.Series(np.arange(12.0)[::2][::-1]),
        pd.Series(np.asfortranarray(np.arange(6.0).reshape(3, 2))[:, 1]),
    ],
    ids=lambda values: str(values.dtype),
)
def test_what_pandas2ri_does_right_stays_right(values):
    back = through_r(values)
    present = ~values.isna()
    assert (back.isna() == values.isna()).all()
    assert back[present].astype(object).tolist() == values[present].astype(object).tolist()


def test_strings_sort_by_code_point_whatever_the_locale():
    assert through_r(["b", "a", "B", "A", "é"]).cat.categories.tolist() == ["A", "B", "a", "b", "é"]
    code = """
        from tests.support.bridging import grouped
        import rbridge as rb
        frame = grouped()
        frame["s"] = ["b", "A", "a", "B", "é"] * 12
        print(list(rb.lme("y ~ s", frame, "~ 1 | g").params.index))
    """
    expected = str(["(Intercept)", "sB", "sa", "sb", "sé"])
    for locale in ("C", "C.UTF-8"):
        assert says(code, LC_ALL=locale, PYTHONIOENCODING="utf-8") == expected


RAW = """
    import datetime, json, warnings
    import numpy as np, pandas as pd
    warnings.simplefilter("ignore")
    import logging; logging.disable(logging.CRITICAL)
    import rpy2.robjects as ro
    from rpy2.robjects import pandas2ri
    from rpy2.robjects.conversion import localconverter
    def raw(frame):
        with localconverter(ro.default_converter + pandas2ri.converter):
            ro.globalenv["d"] = ro.conversion.py2rpy(frame)
    def ask(code):
        return str(ro.r(code)[0])
    found = {}
    raw(pd.DataFrame({"x": pd.Series([True, np.nan, False], dtype=object)}))
    found["bool"] = ask("is.na(d$x[2])")
    raw(pd.DataFrame({"row.names": [1.0, 2.0], "x": [1.0, 2.0]}))
    found["row.names"] = ask("ncol(d)")
    raw(pd.DataFrame({"x": [datetime.date(2020, 1, 1)]}))
    found["date"] = ask("class(d$x)")
    raw(pd.DataFrame({"x": np.array([-2**31, 1], dtype="int64")}))
    found["min"] = ask("is.na(d$x[1])")
    raw(pd.DataFrame({"x": pd.Categorical([10, 2, 1], [10, 2, 1])}))
    found["cat"] = ask("class(d$x)")
    raw(pd.DataFrame({"x": [2**31, 1]})); found["large"] = ask("class(d$x)")
    print(json.dumps(found))
"""


def test_plain_pandas2ri_fails_these():
    """The traps are real here: the tests above would fail with what everybody uses."""
    found = json.loads(says(RAW).splitlines()[-1])
    assert found["bool"] == "False" or found["bool"] == "0"  # NaN is TRUE
    assert found["row.names"] == "1"
    assert found["date"] != "Date"
    assert found["min"] in ("True", "1")
    assert found["cat"] != "factor" and found["large"] == "character"
