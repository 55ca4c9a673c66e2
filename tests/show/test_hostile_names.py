"""Names that a format would read as its own language come through as they are, or spelled out."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from rbridge.show import components, diagnostics, gaps, means, profiles, quantiles, replicates
from rbridge.show.junit import JUnitCase, junit
from rbridge.show.report import Report
from tests.support.grades import graded

CONTROL = [*map(chr, range(32)), "\x7f", "\x85", "\ud800", "\ufffe", "\uffff"]
MARKUP = [
    *("<script>alert(1)</script>", "a|b", "a\nb", "a\r\nb", "&lt;", "<!--", "]]>", '"', "'"),
    *("$\\frac$ of $x_{$", "$a$b$", "a\\$b$", "_x", "*x*", "`x`", "# x", "%d {x} \\n", "é😀", ""),
    *("../../x", "x" * 300, "  ", "\u202e", "a/b", "a:b", "a\tb", "^", "\\", "=1+1", "TRUE"),
]
DRAWN = ["$\\frac$ of $x_{$", "a\\$b$", "$a$b$", "_x", "%d {x} \\n", "\\", "a\nb"]
NAMES = [*MARKUP, *(f"a{c}b" for c in CONTROL)]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_junit_is_xml(name: str) -> None:
    case = JUnitCase(name, "failure", name, name, name)
    read = ElementTree.fromstring(junit(name, [case]).encode("utf-8"))
    assert (
        len(read) == 1
        and [child.tag for child in read[0]] == ["failure", "system-out"][: 1 + bool(name)]
    )
    if name in MARKUP and not re.search(r"[\r\n\t]", name):
        assert read[0].get("name") == name and read.get("name") == name


def _report(name: str) -> Report:
    rows = pd.Index([name, "b"], dtype=object)  # else pandas 3 takes UTF-8 alone
    columns = pd.Index([name or "x"], dtype=object)
    table = pd.DataFrame([[1.0], [2.0]], index=rows, columns=columns)
    square = pd.DataFrame(np.eye(2), index=rows, columns=rows)
    return Report(name, [(name, table), ("text", f"see {name}"), ("square", square)])


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_reports_hold_no_markup_of_a_name(name: str) -> None:
    report = _report(name)
    for text in (report.to_html(), report.to_markdown()):
        tags = _Tags()
        tags.feed(text)
        assert tags.seen <= {"div", "h4", "b", "p", "br", "table", "tr", "th", "td"}
    assert str(report)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_every_row_of_a_markdown_table_has_its_cells(name: str) -> None:
    lines = _report(name).to_markdown().split("\n")
    tables = [line for line in lines if line.startswith("| ")]
    assert len(tables) == 8
    for line, cells in zip(tables, [2] * 4 + [3] * 4):
        assert len(re.findall(r"(?<!\\)\|", line)) == cells + 1


def _pictures(name: str) -> Any:
    intervals = pd.DataFrame({"component": name, "method": [name, "b"], "estimate": 1.0})
    intervals = intervals.assign(lower=[0.5, np.nan], upper=[2.0, np.nan], note=["", name])
    yield components.varcomp_forest(intervals, name)
    table = pd.DataFrame({"estimate": [1.0, 2], "se": 1.0, "lower": 0.0, "upper": 3.0})
    table.index = [name, "b"]
    table.attrs["method"] = name
    yield components.vcov_picture(table, pd.DataFrame(np.eye(2)), name)
    gap = pd.DataFrame({"A": [1e-3, 1e-2]}, index=[name, "b"])
    yield gaps.crosscheck_gaps(gap, {"A": ("x", 0.1)}, name)
    x = np.linspace(-1.0, 1, 9)
    curve = SimpleNamespace(value=x, zeta=x, estimate=0.0, lower=-0.5, upper=0.5)
    yield profiles.profile_curves({name: curve}, 0.95, name)  # type: ignore[dict-item]
    ends = pd.DataFrame({"lower": [0.0], "upper": [1.0]}, index=[name])
    drawn = pd.DataFrame({name: x})
    yield replicates.bootstrap_distributions(drawn, pd.Series({name: 0.0}), ends, name)
    yield quantiles.qq_panels({name: x, "b": x}, name, name)
    rows = pd.DataFrame({"fitted": x, "residual": x})
    lags = pd.DataFrame({"lag": [1, 2], "acf": [0.3, 0.1], "band": 0.5})
    yield diagnostics.diagnostics(rows, {name: x}, lags, name, name)
    cells = pd.DataFrame({name: ["u", name], "estimate": 1.0, "lower": 0.0, "upper": 2.0})
    yield means.means_picture(cells, [name], [], name, name)


@pytest.mark.filterwarnings("ignore:Glyph:UserWarning", "ignore:constrained_layout:UserWarning")
@pytest.mark.parametrize("name", graded(DRAWN, DRAWN[:2]))
def test_every_picture_is_drawn(name: str) -> None:
    for figure in _pictures(name):
        figure.draw_without_rendering()
