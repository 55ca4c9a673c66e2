"""Resumed runs: the digest sees every change of the data; one writer a file; no row twice."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbridge import files
from rbridge.many.result_file import ResultFileError, fingerprint, result_file

Frame = pd.DataFrame
TEXTS = st.text(st.characters(blacklist_categories=()), max_size=3)  # lone surrogates too
DTYPES = ["float64", "float32", "int64", "int32", "Int64", "bool", "object", "string", "category"]
DTYPES += ["datetime64[ns]", "datetime64[ns, Europe/Berlin]", "timedelta64[ns]", "period[D]"]


@dataclass(frozen=True)
class Row:
    item: int


def read(line: dict[str, Any]) -> Row | None:
    return Row(**line) if line.keys() == {"item"} else None


@st.composite
def columns(draw: Any, n: int = 6) -> pd.Series:
    """A column of one of many dtypes, with missing values where it can have them."""
    dtype = draw(st.sampled_from(DTYPES))
    numbers = st.integers(0, 1 if dtype == "bool" else 4)
    values: list[Any] = draw(st.lists(numbers, min_size=n, max_size=n))
    if dtype in ("object", "string", "category"):
        words = draw(st.lists(TEXTS, min_size=5, max_size=5, unique=True))
        values = [words[k] for k in values]
    series = pd.Series(values)
    if dtype.startswith(("datetime", "period")):
        series = pd.to_datetime(series, unit="D")
        zone = "Europe/Berlin" if "Berlin" in dtype else None
        series = series.dt.tz_localize(zone) if zone else series
        return series.dt.to_period("D") if dtype == "period[D]" else series
    series = series.astype(dtype)
    return series.where(series.index != draw(st.integers(0, 12))) if dtype != "bool" else series


@st.composite
def frames(draw: Any) -> Frame:
    names = draw(st.lists(TEXTS, min_size=1, max_size=3, unique=True))
    return Frame({name: draw(columns()) for name in names})


def retyped(series: pd.Series) -> pd.Series:
    """The same values under another dtype."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        return series.astype(object)
    return series.astype(object) if series.dtype != object else series.astype("category")


def revalued(series: pd.Series) -> pd.Series:
    """One value is another: the first, missing or not, becomes one that differs from it."""
    there = series.dropna()
    other = [value for value in there.unique() if series.isna()[0] or value != series[0]]
    no_room = not other and series.dtype == bool
    changed = series.astype(object) if no_room else series.copy()
    changed[0] = other[0] if other else None
    return changed


def with_column(change: Callable[[pd.Series], pd.Series]) -> Callable[[Frame], Frame]:
    return lambda data: data.assign(**{data.columns[0]: change(data.iloc[:, 0])})


CHANGES: dict[str, Callable[[Frame], Frame]] = {
    "dtype": with_column(retyped),
    "value": with_column(revalued),
    "missing": with_column(lambda s: s.astype(object).where(s.index != 1)),
    "order of the rows": lambda d: d.iloc[::-1].reset_index(drop=True),
    "order of the columns": lambda d: d.iloc[:, ::-1],
    "name": lambda d: d.rename(columns={d.columns[0]: d.columns[0] + "."}),
    "a row less": lambda d: d.iloc[:-1],
    "a column less": lambda d: d.iloc[:, :-1],
}


def same(one: Frame, other: Frame) -> bool:
    """Whether pandas sees two frames as one; exactly, with dtypes and levels."""
    try:
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    except (AssertionError, TypeError):
        return False
    return True


@settings(max_examples=3 * settings.default.max_examples)
@given(name=st.sampled_from(sorted(CHANGES)), data=frames())
def test_a_change_gives_another_digest(name: str, data: Frame) -> None:
    changed = CHANGES[name](data)
    assert (fingerprint(data, 0) == fingerprint(changed, 0)) == same(data, changed)


@given(data=frames())
def test_no_change_gives_the_same_digest(data: Frame) -> None:
    again = Frame({name: data[name].copy() for name in data})
    again.index = data.index + 5
    assert fingerprint(again, 0) == fingerprint(data, 0)
    assert fingerprint(data.iloc[::-1].iloc[::-1], 0) == fingerprint(data, 0)


LEVELS: dict[str, Callable[[pd.Series], pd.Series]] = {
    "as they are": lambda s: s,
    "texts": lambda s: s.astype(str),
    "other order": lambda s: s.cat.reorder_categories(["b", "a", "c"]),
    "ordered": lambda s: s.cat.as_ordered(),
    "one level more": lambda s: s.cat.add_categories(["d"]),
    "renamed": lambda s: s.cat.rename_categories({"a": "b", "b": "a"}),
}


def test_levels_and_their_order_count() -> None:
    base = pd.Series(["a", "b", "a", "c"], dtype="category")
    assert len({fingerprint(Frame({"x": f(base)}), 0) for f in LEVELS.values()}) == len(LEVELS)


@pytest.mark.parametrize("dtype", [float, str, "category", "Int64", "int32"])
def test_a_dtype_counts_where_the_values_are_the_same(dtype: Any) -> None:
    data = Frame({"x": [1, 2, 1]})
    assert fingerprint(data, 0) != fingerprint(data.astype(dtype), 0)


def test_the_content_counts_to_the_last_number() -> None:
    data, big = Frame({"x": [1.0]}), np.zeros((60, 60))
    other = big.copy()
    other[30, 30] = 1  # str() leaves the middle of an array out
    assert fingerprint(data, {"m": big}) != fingerprint(data, {"m": other})


# --- the file -----------------------------------------------------------------------------------


def write(path: Path, *items: int, digest: str = "f") -> list[int]:
    with result_file(path, digest, read) as file:
        file.append([Row(item) for item in items])
        return [row.item for row in file.rows]


def test_rows_come_back_once_each(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    assert [write(path, 1, 2), write(path, 2, 3), write(path)] == [[], [1, 2], [1, 2, 3]]


def test_one_run_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with result_file(path, "f", read):
        with pytest.raises(ResultFileError, match="in use by another run: wait"):
            write(path, 1)
    assert write(path, 1) == []


CHILD = """
import os, sys
sys.path.insert(0, {folder!r})
import files
if {without}:
    files.fcntl = None
with files.held({path!r}) as file:
    print("held", flush=True)
    {then}
"""


def child(path: Path, then: str, without: bool = False) -> subprocess.Popen[str]:
    folder = str(Path(files.__file__).parent)
    code = CHILD.format(folder=folder, path=str(path), then=then, without=without)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("without", [False, True])
def test_another_process_holds_it(
    tmp_path: Path, without: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if without:
        monkeypatch.setattr(files, "fcntl", None)
    path = tmp_path / "r.jsonl"
    process = child(path, "sys.stdin.read()", without)
    with pytest.raises(ResultFileError, match="in use"):
        write(path, 1)
    process.communicate("")
    assert write(path, 1) == [] and [p.name for p in tmp_path.iterdir()] == ["r.jsonl"]


@pytest.mark.parametrize("without", [False, True])
def test_a_killed_run_holds_nothing(
    tmp_path: Path, without: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if without:
        monkeypatch.setattr(files, "fcntl", None)
    path = tmp_path / "r.jsonl"
    child(path, "os._exit(9)", without).communicate("")
    assert (tmp_path / "r.jsonl.lock").exists() == without
    assert write(path, 1) == []


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", refuse)
    path, marker = tmp_path / "r.jsonl", tmp_path / "r.jsonl.lock"
    with result_file(path, "f", read):
        assert marker.read_text().split()[1] == str(os.getpid())
        with pytest.raises(ResultFileError, match="if there is none any more, delete"):
            write(path)
    assert not marker.exists()
    marker.write_text("another-machine 1")
    with pytest.raises(ResultFileError, match="in use"):
        write(path)


DAMAGED = [
    b"[]",
    b"{}",
    b'{"item": "1"}x',
    b'{"item": 1',
    b'{"other": 1}',
    b'{"item": 1, "more": 2}',
    b"\xff",
    b"[" * 100_000,
    b"1e999",
    b"null",
    b"",
]


@pytest.mark.parametrize("line", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_line_is_told_by_its_number(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "r.jsonl"
    write(path, 1)
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(ResultFileError, match="r.jsonl: line 3 is damaged: delete"):
        write(path)


@pytest.mark.parametrize("header", [b'{"rbridge": "results"}', b'{"rbridge": "results", x}'])
def test_a_damaged_header_is_another_run(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(header + b"\n")
    with pytest.raises(ResultFileError, match="holds results of other models"):
        write(path)


def test_a_line_without_its_end_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    write(path, 1, 2)
    path.write_bytes(path.read_bytes()[:-3])
    assert write(path, 3) == [1] and write(path) == [1, 3]
    assert [json.loads(line) for line in path.read_bytes().splitlines()[1:]] == [
        {"item": 1},
        {"item": 3},
    ]


@pytest.mark.parametrize("name", ["", "there/is/no/folder", "a\0b", "\ud800"])
def test_a_path_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(ResultFileError, match="cannot be opened|no plain file"):
        write(tmp_path / name if "\0" not in name else Path(name))


def test_a_fifo_is_no_result_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ResultFileError, match="no plain file"):
        write(tmp_path / "pipe")


def test_a_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.jsonl"
    write(path, 1)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ResultFileError, match="No space left on device.*is kept"):
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            write(path, 2)
    assert write(path)[0] == 1


VALUES = [1 / 3, 5e-324, float("inf"), "\u2028 line ends of all kinds \x85", "\ud800"]


def test_values_come_back_exactly(tmp_path: Path) -> None:
    def append(values: list[Any]) -> list[Any]:
        with result_file(tmp_path / "r", "", lambda line: Valued(**line)) as file:
            file.append([Valued(k, value) for k, value in enumerate(values)])
            return [row.value for row in file.rows]

    append(VALUES)
    assert append([]) == VALUES


@dataclass(frozen=True)
class Valued(Row):
    value: Any


def test_a_file_killed_within_its_first_line_starts_anew(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(b'{"rbridge": "resu')
    assert [write(tmp_path / "r", 2), write(tmp_path / "r")] == [[], [2]]


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "a,b", "[1]\n", '{"rbridge": 1}\n', "\xff\n"])
def test_other_files_are_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "r").write_text(content)
    with pytest.raises(ResultFileError, match="no result file"):
        write(tmp_path / "r")
    assert (tmp_path / "r").read_text() == content


def test_results_of_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r"
    write(path, digest="one")
    write(path, digest="one")
    with pytest.raises(ResultFileError, match="other models, data"):
        write(path, digest="two")
