"""Frames of other libraries at the door: the columns that pandas would give, or why not."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rbridge.errors import DataError
from rbridge.frame.columns import column
from rbridge.frame.design import build_design
from rbridge.frame.incoming import as_frame
from rbridge.model.spec import lme_spec
from tests.support import arrow_source as arrow
from tests.support.arrow_source import ArrowSource
from tests.support.foreign import Converting, by_arrow

GONE = [True, False, True]
DAYS = np.array([17000, 0, -1])
WITH_MISSING = {  # Arrow's column, and the values that it stands for
    "int8": (arrow.numbers(np.array([1, 9, -3], "int8"), GONE), [1, None, -3]),
    "uint64": (arrow.numbers(np.array([1, 9, 2**53], "uint64"), GONE), [1, None, 2**53]),
    "float32": (arrow.numbers(np.array([1.5, 9, -3], "float32"), GONE), [1.5, None, -3.0]),
    "float64": (arrow.numbers(np.array([1.5, 9, -3]), GONE), [1.5, None, -3.0]),
    "bool": (arrow.truths([True, True, False], GONE), [True, None, False]),
    "text": (arrow.texts(["ä", None, "zz"], "u"), ["ä", None, "zz"]),
    "large text": (arrow.texts(["ä", None, "zz"], "U"), ["ä", None, "zz"]),
    "views": (arrow.texts(["a" * 12, None, "ö" * 40], "vu"), ["a" * 12, None, "ö" * 40]),
    "decimal": (
        arrow.Part(
            "d:9,2", 3, (b"".join(n.to_bytes(16, "little", signed=True) for n in (150, 0, -3)),)
        ),
        [Decimal("1.5"), Decimal("0"), Decimal("-0.03")],
    ),
    "date32": (
        arrow.numbers(DAYS.astype("int32"), GONE, "tdD"),
        [dt.date(2016, 7, 18), None, dt.date(1969, 12, 31)],
    ),
    "date64": (
        arrow.numbers(DAYS * 86_400_000, GONE, "tdm"),
        [dt.date(2016, 7, 18), None, dt.date(1969, 12, 31)],
    ),
    "seconds": (
        arrow.numbers(DAYS, GONE, "tss:"),
        list(pd.to_datetime([17000, None, -1], unit="s")),
    ),
    "zoned": (
        arrow.numbers(DAYS * 1000, GONE, "tsm:Europe/Paris"),
        list(pd.to_datetime([17000, None, -1], unit="s", utc=True).tz_convert("Europe/Paris")),
    ),
    "duration": (
        arrow.numbers(DAYS, GONE, "tDu"),
        list(pd.to_timedelta([17000, None, -1], unit="us")),
    ),
}


def same(found: Any, wanted: Any) -> None:
    """Columns as R will get them."""
    assert (found.kind, found.levels, found.ordered, found.zone) == (
        *(wanted.kind, wanted.levels, wanted.ordered, wanted.zone),
    )
    np.testing.assert_array_equal(found.values, wanted.values)


def trial() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"y": rng.normal(size=24), "x": rng.integers(0, 9, 24)})
    frame["g"] = [f"group {k}" for k in np.repeat(range(6), 4)]
    frame["s"] = pd.Categorical(["b", "a"] * 12, categories=["b", "a"])
    frame.loc[3, "y"] = np.nan
    return frame


@pytest.mark.parametrize("name", WITH_MISSING)
def test_a_column_by_arrow_is_the_column_by_pandas(name):
    part, values = WITH_MISSING[name]
    if part.valid is None:
        part = arrow.Part(part.format, 3, part.buffers, [True] * 3)
    kind = "boolean" if name == "bool" else None
    wanted = pd.Series(values, dtype=kind)
    for rows, source in (
        (slice(None), ArrowSource({"c": part})),
        (slice(1, None), ArrowSource({"c": part.shifted(1)})),
    ):
        frame = as_frame(source)
        assert source.open == 0, "memory is given back once"
        same(column(frame["c"], "c"), column(wanted[rows].reset_index(drop=True), "c"))


def test_bits_beyond_a_byte_and_batches_of_both_kinds():
    bits = [bool(k % 3) for k in range(19)]
    valid = [k != 5 for k in range(19)]
    first = arrow.truths(bits, valid).shifted(3)
    source = ArrowSource({"b": first}, {"b": arrow.truths(bits)})
    wanted = pd.Series([None if k == 5 else bits[k] for k in range(3, 19)] + bits, dtype="boolean")
    assert as_frame(source)["b"].astype("boolean").equals(wanted)


def test_dictionaries_keep_their_order_and_join():
    one = arrow.category(
        np.array([1, 0, 0], "uint32"), arrow.texts(["lo", "hi"]), GONE, arrow.ORDERED
    )
    same(
        column(as_frame(ArrowSource({"c": one}))["c"], "c"),
        column(pd.Series(pd.Categorical(["hi", None, "lo"], ["lo", "hi"], ordered=True)), "c"),
    )
    other = arrow.category(np.array([0, 1], "int8"), arrow.texts(["new", "hi"]))
    plain = arrow.category(np.array([0, 1], "int8"), arrow.texts(["lo", "hi"]))
    joined = as_frame(ArrowSource({"c": plain}, {"c": other}))["c"]
    assert list(joined) == ["lo", "hi", "new", "hi"]
    assert list(joined.cat.categories) == ["lo", "hi", "new"]


@pytest.mark.parametrize("source", [by_arrow, Converting])
def test_a_model_gets_the_same_design(source):
    data = trial()
    spec = lme_spec("y ~ x * s", "~ x | g")
    found, wanted = build_design(spec, source(data)), build_design(spec, data)
    np.testing.assert_array_equal(found.rows, wanted.rows)
    assert found.names == wanted.names and found.n_dropped == 1
    for name, expected in wanted.columns.items():
        same(found.columns[name], expected)


NESTED = arrow.Part("+l", 3, (np.zeros(4, "int32").tobytes(),))
NOWHERE = arrow.numbers(np.array([1, 2, 3]), None, "tss:No/Where")


@pytest.mark.parametrize(
    "part, why", [(NESTED, "a list"), (arrow.Part("z", 3), "bytes"), (NOWHERE, "No/Where")]
)
def test_a_column_that_cannot_be_taken_is_named_where_it_is_needed(part, why):
    three = {"y": arrow.numbers([1.0, 2, 3]), "g": arrow.texts(["a", "a", "b"])}
    frame = as_frame(ArrowSource({**three, "odd": part}))
    assert list(frame) == ["y", "g"]
    with pytest.raises(DataError, match=f"column 'odd' cannot be converted: .*({why})"):
        build_design(lme_spec("y ~ odd", "~ 1 | g"), ArrowSource({**three, "odd": part}))


def test_a_failing_to_pandas_names_the_column():
    source = Converting(trial(), ("odd",))
    build_design(lme_spec("y ~ x", "~ 1 | g"), source)
    with pytest.raises(DataError, match="column 'odd' cannot be converted: TypeError: nested data"):
        build_design(lme_spec("y ~ odd", "~ 1 | g"), source)


def test_what_is_no_frame_is_refused():
    class Lazy:
        def collect(self) -> None:
            ...

    for data, message in (
        (Lazy(), r"not Lazy \(call .collect\(\) first\)"),
        (3, "must be a pandas DataFrame, not int; any frame"),
        (Converting, "not type"),
        (ArrowSource({"a": arrow.numbers([1.0])}, table="g"), "one column, not a table"),
        (ArrowSource({"a": arrow.numbers([1.0])}, failure=b"disk gone"), "Arrow: disk gone"),
        (ArrowSource({"a": NESTED}), "no rows; column 'a' cannot be converted"),
        (type("Series", (), {"to_pandas": lambda _: pd.Series([1])})(), "gives a Series"),
    ):
        with pytest.raises(DataError, match=message):
            as_frame(data)


def test_a_frame_of_pandas_is_taken_as_it_is():
    data = trial()
    assert as_frame(data) is data
