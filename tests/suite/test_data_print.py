"""Changed data: order of rows, order of columns, line ends and a changed value told apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rbridge.datasets import load
from rbridge.datasets.sources import load_data, sha256
from rbridge.results import LmeResults
from rbridge.suite import drift as module
from rbridge.suite.data_print import change, data_print
from rbridge.suite.differences import NamedValues
from rbridge.suite.drift import check_record
from rbridge.suite.json_text import dumps
from rbridge.suite.record import RecordFile, read_record
from rbridge.suite.run import Outcome
from tests.support.places import RECORDS


def rails() -> pd.DataFrame:
    frame = load("rail")
    return frame.assign(rail=frame["rail"].astype(str), note=range(len(frame)))


def write(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A record of a model of ``rail.csv``, beside it."""
    write(rails(), tmp_path / "rail.csv")
    content = json.loads((RECORDS / "rail-intercept.json").read_text())
    data = {"data": "rail.csv", "category": ["rail"], "rows": 18}
    data["sha256"] = sha256("rail.csv", tmp_path)
    data["print"] = data_print(load_data("rail.csv", tmp_path, ("rail",)))
    (tmp_path / "rail.json").write_text(dumps({**content, "data": data}))
    return tmp_path


Spoil = Callable[[Path], None]
CHANGES: dict[str, tuple[Spoil, str, str]] = {
    "rows shuffled": (
        lambda p: write(rails().sample(frac=1, random_state=1), p),
        "warning",
        "rows stand in another order",
    ),
    "columns sorted": (
        lambda p: write(rails()[sorted(rails())], p),
        "note",
        "columns stand in another order",
    ),
    "line ends": (
        lambda p: p.write_bytes(p.read_bytes().replace(b"\n", b"\r\n")) and None,
        "note",
        "the same values",
    ),
    "a millionth more": (
        lambda p: write(rails().assign(travel=lambda d: d.travel + 1e-6), p),
        "unchecked",
        "other values in travel",
    ),
    "one value": (
        lambda p: write(rails().assign(travel=[1.5, *rails().travel[1:]]), p),
        "unchecked",
        "other values in travel",
    ),
    "a column shuffled alone": (
        lambda p: write(rails().assign(travel=rails().travel.to_numpy()[::-1]), p),
        "unchecked",
        "the same values on other rows in travel",
    ),
    "a column that no model uses": (
        lambda p: write(rails().assign(note=7), p),
        "note",
        "other values in note (not used by the model)",
    ),
    "a row less": (lambda p: write(rails()[:-1], p), "unchecked", "18 rows then, 17 now"),
    "a column renamed": (
        lambda p: write(rails().rename(columns={"note": "remark"}), p),
        "note",
        "gone: note; new: remark",
    ),
}


def said(outcome: Outcome) -> tuple[str, str]:
    (found,) = [f for f in outcome.findings if f.code == "data"]
    return found.level, found.text


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_told_apart_without_r(place: Path, name: str) -> None:
    spoil, level, words = CHANGES[name]
    spoil(place / "rail.csv")
    outcome = check_record(RecordFile(place / "rail.json", False))
    assert said(outcome)[0] == level and words in said(outcome)[1]
    assert outcome.code == (2 if level == "unchecked" else 0)


def moved(place: Path, monkeypatch: pytest.MonkeyPatch, by: float) -> Outcome:
    """The record against an R that fits what it fitted then, its estimates moved."""
    record = read_record(place / "rail.json")
    fixef = record.answers["fixef"]
    assert isinstance(fixef, NamedValues)
    now = {**record.answers, "fixef": replace(fixef, values=fixef.values + by)}
    monkeypatch.setattr(module, "fit_case", lambda case: LmeResults(record.snapshot))
    monkeypatch.setattr(module, "answers", lambda fit: now)
    return check_record(RecordFile(place / "rail.json", True))


@pytest.mark.parametrize(
    "name, by, code, words",
    [
        ("rows shuffled", 0.0, 0, "the results did not move"),
        ("rows shuffled", 1.0, 2, "the results moved (fixef)"),
        ("a millionth more", 0.0, 2, "the results did not move: record again"),
        ("a millionth more", 1.0, 2, "the results moved (fixef): record again"),
        ("line ends", 0.0, 0, "the same values"),
        ("line ends", 1.0, 1, "the same values"),
    ],
)
def test_it_is_said_whether_results_moved(
    place: Path, monkeypatch: pytest.MonkeyPatch, name: str, by: float, code: int, words: str
) -> None:
    CHANGES[name][0](place / "rail.csv")
    outcome = moved(place, monkeypatch, by)
    assert words in said(outcome)[1] and outcome.code == code


def test_data_that_are_gone_leave_todays_r_unchecked(place: Path) -> None:
    (place / "rail.csv").unlink()
    assert check_record(RecordFile(place / "rail.json", True)).code == 2
    assert check_record(RecordFile(place / "rail.json", False)).code == 0


def test_a_damaged_print_is_refused(place: Path) -> None:
    content = json.loads((place / "rail.json").read_text())
    content["data"]["print"] = {"rows": 18, "columns": 3}
    (place / "rail.json").write_text(dumps(content))
    CHANGES["one value"][0](place / "rail.csv")
    outcome = check_record(RecordFile(place / "rail.json", True))
    assert outcome.code == 2 and "damaged" in outcome.findings[-1].text


def test_what_is_the_same_and_what_is_not() -> None:
    def kind(one: list[object], other: list[object]) -> str:
        prints = [data_print(pd.DataFrame({"x": values})) for values in (one, other)]
        return change(*prints, ["x"])[0]

    assert (
        kind([1, 2], [1.0, 2.0]) == kind([0.0], [-0.0]) == kind([1.0, None], [1, np.nan]) == "same"
    )
    assert kind([1, 2], ["1", "2"]) == kind(["a", "bc"], ["ab", "c"]) == "values"
    assert kind(["nan"], [None]) == kind([True], ["True"]) == "values"
