"""Values packed into one vector: what R makes of them, and back, against rpy2's own reading."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rbridge.r.packed import LARGE, Packer, unpacked
from rbridge.r.session import session
from tests.support.bridging import define

NESTED: dict[str, Any] = {
    "none": None,
    "words": ("plain", "Größe", "日本", "", "😀"),
    "word": "x",
    "numbers": np.array([1.5, np.nan, -np.inf, 5e-324]),
    "whole": np.array([1, -(2**31) + 1], dtype=np.int32),
    "matrix": np.arange(6.0).reshape(2, 3),
    "again": np.arange(4, dtype=np.int32).reshape(2, 2),
    "rows": np.empty((0, 2)),
    "parts": [True, 7, -0.25, [None, {"odd name": "a"}], {}],
    "tuple": (1, "a"),
}
AS_R_HAS_IT = """list(none = NULL, words = c("plain", "Gr\\u00f6\\u00dfe", "\\u65e5\\u672c", "",
  "\\U1F600"), word = "x", numbers = c(1.5, NaN, -Inf, 5e-324), whole = c(1L, -2147483647L),
  matrix = matrix(c(0, 3, 1, 4, 2, 5), 2), again = matrix(c(0L, 2L, 1L, 3L), 2),
  rows = matrix(0, 0, 2), parts = list(TRUE, 7L, -0.25, list(NULL, list(`odd name` = "a")),
  structure(list(), names = character())), tuple = list(1L, "a"))"""


def test_r_has_what_was_sent(r: Any) -> None:
    define("rb_same", f"function(x) identical(x, {AS_R_HAS_IT})")
    assert session().call("rb_same", NESTED).value.tolist() == [True]


def test_large_arrays_stand_where_they_stood(r: Any) -> None:
    large = np.arange(float(LARGE)).reshape(4, -1)
    define("rb_rows", "function(x, n) list(dim(x$a$b), rowSums(x$a$b), names(x$a), x$c, n)")
    sent = {"a": {"none": None, "b": large}, "c": np.arange(9000, dtype=np.int32)}
    shape, sums, names, whole, n = session().call("rb_rows", sent, 3).value
    assert shape.tolist() == list(large.shape) and names == ("none", "b") and n == [3]
    np.testing.assert_array_equal(sums, large.sum(axis=1))
    np.testing.assert_array_equal(whole, sent["c"])


ANSWERS = {
    "nested": AS_R_HAS_IT,
    "missing": "list(c(NA, 1L), c(TRUE, NA), c(NA, 'a'), c(NA, 1), NA_integer_)",
    "classes": "list(factor(c('b', 'a')), as.Date('2020-02-29'), data.frame(x = 1:2, y = 'a'))",
    "encodings": "list(c('caf\\xe9', `Encoding<-`('caf\\xe9', 'latin1')), x = 1)",
    "attributes": "list(structure(1:4, dim = c(2L, 2L), dimnames = list(NULL, c('a', 'b'))), "
    "structure(c(a = 1), terms = y ~ x), 1:3)",
}


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *map(plain, value)]
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, list(map(repr, value.ravel().tolist()))
    return repr(value) if hasattr(value, "dtypes") or hasattr(value, "dtype") else value


@pytest.mark.parametrize("what", list(ANSWERS))
def test_small_answers_are_read_as_large_ones(what: str, r: Any) -> None:
    define(f"rb_{what}", f"function(more) list({ANSWERS[what]}, numeric(more))")
    small, large = (session().call(f"rb_{what}", n).value for n in (1, 10**5))
    assert (len(small[1]), len(large[1])) == (1, 10**5)
    assert plain(small[0]) == plain(large[0])


def test_nothing_is_converted_by_guessing() -> None:
    for odd in (object(), 1j, {"a": {1, 2}}, np.array(["a"]), np.arange(3)):
        with pytest.raises(TypeError, match="cannot pass a"):
            Packer().pack(odd)


def test_what_is_packed_here_is_read_here() -> None:
    found = unpacked(Packer().pack(NESTED))
    assert list(found) == list(NESTED) and found["words"] == NESTED["words"]
    np.testing.assert_array_equal(found["matrix"], NESTED["matrix"])
