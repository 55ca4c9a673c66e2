"""The page of a suite: the verdict first, everything in it, nothing needed beside it."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest

from rbridge.check.findings import FAILURE, NOTE, OK, UNCHECKED, WARNING, Finding
from rbridge.show.gap_picture import gap_picture
from rbridge.suite.report import SuiteReport
from rbridge.suite.run import Outcome
from tests.support.pages import balanced

INDEX = ["Tau.g.var((Intercept))", "<i>sigma</i>"]
COLUMNS = {"estimate": [1.0, 2.0], "expected": [3.0, 4.0], "lmeInfo": [2.0, 4.0], "C": [0.5, 0.0]}
TABLE = pd.DataFrame(COLUMNS, index=INDEX)
GOOD = Outcome("good", "m.toml:1", "y ~ x", (Finding("C", OK, 1e-14, "agree"),), TABLE, {"R": "4"})
BAD = replace(
    GOOD, name="bad", findings=(Finding("C", FAILURE, 0.5, "<b>differ</b>"),), data="d, 9 rows"
)
LOST = Outcome("lost", "m.toml:9", "lost", (Finding("timeout", UNCHECKED, None, "too long"),))
DOUBT = replace(GOOD, name="doubt", findings=(*GOOD.findings, Finding("A", WARNING, 0.1, "off")))
ALONE = replace(GOOD, name="alone", findings=(Finding("C", NOTE, None, "no reference"),))
ABOUT = {"date": "2026-01-01 12:00 UTC", "commit": "abc123"}


def page(*outcomes: Outcome) -> str:
    return SuiteReport("m.toml", outcomes, about=ABOUT).to_html()


@pytest.mark.parametrize(
    "outcomes, title",
    [
        ((GOOD, DOUBT, ALONE), "✓ The numbers agree"),
        ((GOOD, LOST), "? Not everything could be checked"),
        ((GOOD, LOST, BAD), "✗ Numbers disagree"),
    ],
)
def test_the_verdict_stands_first(outcomes: tuple[Outcome, ...], title: str) -> None:
    first = page(*outcomes).split("<h2>")[0]
    assert f"<strong>{title}</strong>" in first
    assert "2026-01-01 12:00 UTC, abc123" in first


def test_it_is_whole_and_needs_nothing_else() -> None:
    html = page(GOOD, BAD, LOST, DOUBT, ALONE)
    assert balanced(html).rows == 1 + 5 + 4 * 3  # the models; and of each but the lost its numbers
    assert not re.search(r"<link|<img|@import|url\(|src=|https?://", html)
    assert "<b>differ" not in html and "&lt;b&gt;differ" in html and "&lt;i&gt;sigma" in html
    assert html.count("<svg") == 4 and "d, 9 rows" in html


def test_what_is_wrong_comes_before_the_models_and_is_open() -> None:
    html = page(GOOD, BAD, LOST, DOUBT)
    order = ["What disagrees", "What could not be checked", "To be looked at", "<h2>Models"]
    places = [html.index(text) for text in order]
    assert places == sorted(places)
    assert re.findall(r'<details id="model-(\w+)" open>', html) == ["bad", "lost"]
    assert "lmeInfo moved" in html and "too long" in html


def test_without_its_script_it_is_all_there_and_with_it_every_column_can_be_sorted() -> None:
    html = page(GOOD, BAD)
    plain = re.sub(r"<script>.*?</script>", "", html, flags=re.S)
    assert "<button" not in plain and "good" in plain
    rows = re.findall(r"<tr>(<td.*?)</tr>", plain.split('class="models"')[1].split("</table>")[0])
    assert len(rows) == 2
    assert all(row.count("<td") == row.count("data-sort=") == 7 for row in rows)
    assert [re.findall(r'data-sort="([^"]*)"', row)[4] for row in rows] == ["1e-14", "0.5"]


def test_no_reference_is_no_agreement() -> None:
    html = page(ALONE)
    assert "1 model: 1 without a reference" in html and "· without a reference</span>" in html


def test_the_picture_has_a_mark_for_each_gap_at_its_size() -> None:
    table = pd.DataFrame({"A": [1e-8, float("nan")], "C": [0.0, -2.0]}, index=["a", "b"])
    svg = gap_picture(table, {"A": 1e-8, "C": 1e-16})
    marks = dict(re.findall(r"translate\(([\d.]+),[\d.]+\)\"[^>]*><title>(\w: \S+)</title>", svg))
    limits = re.findall(r'd="M([\d.]+),\d+V\d+" stroke="#\w+" stroke-dasharray', svg)
    by_size = {told: float(x) for x, told in marks.items()}
    assert by_size["A: +1.0e-08"] == float(limits[0]) and "nan" not in svg
    assert by_size["C: +0.0e+00"] == float(limits[1])  # none at all: the left edge
    assert by_size["C: -2.0e+00"] > by_size["A: +1.0e-08"]
