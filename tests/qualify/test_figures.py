"""The published figures: how many, each with its source, and typed as another file has them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import rbridge
from rbridge.qualify.figures import PublishedFigures, half_unit
from rbridge.qualify.operation import MODELS, ONE_WAY, RATIO
from rbridge.qualify.takes import TAKES
from tests.support.places import REFERENCE

RECORDED = Path(rbridge.__file__).parent / "qualify" / "recorded"
PUBLISHED = json.loads((REFERENCE / "fixed_effects" / "published.json").read_text("utf-8"))


def test_there_are_enough_of_many_kinds(figures: PublishedFigures) -> None:
    assert sum(len(table.figures) for table in figures.tables) >= 500
    sources = " ".join({table.source for table in figures.tables})
    for word in ("Pinheiro and Bates", "SAS", "Medicines Agency", "Jennrich", "Student", "Stroup"):
        assert word in sources


def test_every_figure_has_a_source_a_reason_and_a_place(figures: PublishedFigures) -> None:
    for table in figures.tables:
        assert re.search(r"\(\d{4}\)|nlme|openpharma|annex|User's Guide", table.source), table.title
        assert len(table.why.split(": ", 1)[1]) > 10, table.title
        assert table.take in TAKES and set(table.fits) <= set(figures.fits)
        for figure in table.figures:
            assert figure.where and float(figure.printed) == float(figure.printed)
            assert half_unit(figure.printed) <= figure.tolerance


def test_no_figure_stands_twice(figures: PublishedFigures) -> None:
    places = [
        (table.source, table.fits, table.take, str(table.options), figure.where)
        for table in figures.tables
        for figure in table.figures
    ]
    assert len(places) == len(set(places))


def test_every_fit_is_used_and_shipped(figures: PublishedFigures) -> None:
    used = {name for table in figures.tables for name in table.fits}
    assert set(figures.fits) == used | {*MODELS, ONE_WAY, RATIO}
    assert {path.stem for path in RECORDED.glob("*")} == set(figures.fits)


@pytest.mark.parametrize(
    "printed, half", [("-61.089", 0.0005), ("12", 0.5), ("0.06120", 5e-6), ("3.84e-08", 5e-11)]
)
def test_half_a_unit_of_the_last_digit(printed: str, half: float) -> None:
    assert half_unit(printed) == pytest.approx(half, rel=1e-12)


def values(found: Any) -> list[float]:
    """All numbers of a recorded figure."""
    if isinstance(found, dict):
        return [x for value in found.values() for x in values(value)]
    return [float(found)] if isinstance(found, (int, float)) else []


def typed(figures: PublishedFigures, start: str) -> set[float]:
    return {
        float(figure.printed)
        for table in figures.tables
        if any(name.startswith(start) for name in table.fits)
        for figure in table.figures
    }


@pytest.mark.parametrize(
    "ours, theirs",
    [("potthoff-roy", "potthoff-roy"), ("ema-b", "ema-method-b"), ("ema-c", "ema-method-c")],
)
def test_typed_as_in_the_records_of_the_tests(
    figures: PublishedFigures, ours: str, theirs: str
) -> None:
    recorded = [f for f in PUBLISHED["figures"] if f["id"].startswith(theirs) and "spec" in f]
    expected = {x for figure in recorded for x in values(figure["figures"])}
    assert expected and expected == typed(figures, ours)
