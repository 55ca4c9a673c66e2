"""Data files: what would be read wrong in silence, or never end, is refused by name."""

from __future__ import annotations

import csv
import io
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rbridge.datasets.sources import load_data, read_data, sha256
from rbridge.errors import DataError

REFUSED = {
    "a NUL in a number": (b"x,y\n1,2\n3,0\x00.1\n", "line 3 holds a NUL byte"),
    "a NUL in the header": (b"x\0,y\n1,2\n", "line 1 holds a NUL byte"),
    "UTF-16": ("x,y\n1,2\n".encode("utf-16"), "NUL byte: damaged, or not saved as UTF-8"),
    "a bare carriage return": (b"x,y,g\n1,2,a\n\r,3,b\n", "line 3 holds a carriage return without"),
    "two carriage returns": (b"x,y\r\n1,2\r\r\n", "line 2 holds a carriage return without"),
    "a name twice": (b"x,y,x\n1,2,3\n", "the header names 'x' twice: rename or drop one"),
    "a quoted name twice": (b'"x",y,x\n1,2,3\n', "names 'x' twice"),
    "a name twice and x.1": (b"x,x.1,x\n1,2,3\n", "names 'x' twice"),
    "NA twice": (b"NA,NA\n1,2\n", "names 'NA' twice"),
    "separators at the end": (b"x,y\n1,2,\n3,4,\n", "more fields than the header"),
    "row names without a name": (b'"x","y"\n"1",1,2\n"2",3,4\n', "more fields than the header"),
    "a longer row": (b"x,y\n1,2\n3,4,5\n", "cannot be read"),
    "a quote without its end": (b'x,y\n1,"2\n', "cannot be read"),
    "nothing": (b"", "cannot be read"),
    "bytes that are no text": (b"x,y\n\xff,2\n", "is no UTF-8 text: save it as UTF-8"),
}


@pytest.mark.parametrize("ending", ["csv", "tsv"])
@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path: Path, name: str, ending: str) -> None:
    content, message = REFUSED[name]
    path = tmp_path / f"data.{ending}"
    path.write_bytes(content if ending == "csv" else content.replace(b",", b"\t"))
    with pytest.raises(DataError, match=message) as caught:
        read_data(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"id;y\n1;2,5\n", "separated by ';': save it with commas between fields and points in"),
        (b"id;y\n1;2\n", "separated by ';'"),
        (b"id\ty\n1\t2\n", "separated by tabs: name it .tsv"),
    ],
)
def test_another_separator_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "data.csv").write_bytes(content)
    with pytest.raises(DataError, match=told):
        read_data(tmp_path / "data.csv")


READ = {
    "one column": (b"x\n1\n", {"x": [1]}),
    "plain": (b"x,y\n1,2\n", {"x": [1], "y": [2]}),
    "byte order mark": (b"\xef\xbb\xbfx,y\r\n1,2\r\n", {"x": [1], "y": [2]}),
    "line ends of old Macs": (b"x,y\r1,2\r3,4\r", {"x": [1, 3], "y": [2, 4]}),
    "columns without names": (b",x,\n1,2,3\n", {"Unnamed: 0": [1], "x": [2], "Unnamed: 2": [3]}),
    "names alike": (b"x,X, x\n1,2,3\n", {"x": [1], "X": [2], " x": [3]}),
    "a line end in a name": (b'"x\ny",x\n1,2\n', {"x\ny": [1], "x": [2]}),
    "no rows": (b"x,y\n", {"x": [], "y": []}),
}


@pytest.mark.parametrize("name", READ)
def test_read(tmp_path: Path, name: str) -> None:
    content, columns = READ[name]
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    assert read_data(path).to_dict("list") == columns


def test_every_double_comes_back_as_written(tmp_path: Path) -> None:
    values = [0.1 + k * 1.1e-5 for k in range(3000)] + [1e-310, 1.7976931348623157e308]
    path = tmp_path / "data.csv"
    path.write_text("x\n" + "".join(f"{x!r}\n" for x in values))
    assert read_data(path)["x"].tolist() == values


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "feather"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link to a device"])
def test_what_is_no_plain_file_is_not_opened(tmp_path: Path, kind: str, ending: str) -> None:
    path = tmp_path / f"data.{ending}"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link to a device":
        path.symlink_to("/dev/zero")
    name = "/dev/zero" if kind == "device" else path.name
    with pytest.raises(DataError, match="is no plain file"):
        sha256(name, tmp_path)
    with pytest.raises(DataError, match="is no plain file|the ending must be"):
        load_data(name, tmp_path)


@pytest.mark.parametrize("name", ["none.csv", "a\0b.csv", "a\0b", "..", "no/folder.csv", "oats\n"])
def test_a_name_of_nothing(tmp_path: Path, name: str) -> None:
    for read in (sha256, load_data):
        with pytest.raises(DataError):
            read(name, tmp_path)


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1]}).to_csv(tmp_path / "real.csv", index=False)
    (tmp_path / "link.csv").symlink_to("real.csv")
    assert load_data("link.csv", tmp_path)["x"].tolist() == [1]
    assert sha256("link.csv", tmp_path) == sha256("real.csv", tmp_path)


WHOLE = b"x,y,g\n" + b"".join(b"%.6g,%d,%c\n" % (k / 7, k * k, 97 + k % 2) for k in range(8))
JUNK = b"\0\",\n\r\t ;'ex-+.0N\x1a\x0b\x0c\xff#\\"
MISSING = {"", "N", "NA", "nan", "None", "null", "NULL", "N/A", "n/a", "NaN"}


def damaged(seed: int) -> bytes:
    """A table after one to three accidents: a byte changed, put in, lost, or a stretch twice."""
    rng, content = random.Random(seed), bytearray(WHOLE)
    for _ in range(rng.randint(1, 3)):
        at, junk = rng.randrange(len(content)), bytes([rng.choice(JUNK)])
        stretch = content[at : at + rng.randint(1, 9)]
        content[at : at + rng.randint(0, 1)] = rng.choice([junk, b"", bytes(stretch)])
    return bytes(content)


def same_cell(text: str, value: Any) -> bool:
    if text in MISSING and pd.isna(value):
        return True
    try:
        return float(text) == float(value)
    except ValueError:
        return text == str(value)


def test_a_damaged_table_is_refused_or_read_as_the_csv_module_reads_it(tmp_path: Path) -> None:
    path, counts = tmp_path / "data.csv", Counter[str]()
    for seed in range(400):
        path.write_bytes(damaged(seed))
        try:
            frame = read_data(path)
        except DataError:
            counts["refused"] += 1
            continue
        text = io.StringIO(damaged(seed).decode(), newline="")
        header, *rows = (row for row in csv.reader(text) if row)
        names = [name or f"Unnamed: {k}" for k, name in enumerate(header)]
        assert [list(frame), len(frame)] == [names, len(rows)]
        cells = [row + [""] * (len(header) - len(row)) for row in rows]
        values = frame.astype(object).to_numpy().tolist()
        wrong = [(a, b) for r, v in zip(cells, values) for a, b in zip(r, v) if not same_cell(a, b)]
        assert wrong == [], damaged(seed)
        counts["read"] += 1
    assert min(counts["refused"], counts["read"]) > 80
