"""What is pasted into a paper: markdown, LaTeX, HTML and Excel of every report and every table."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.errors import InstallationError, SpecError
from rbridge.show.cells import latex_text
from rbridge.show.report import Report
from rbridge.show.result_frame import ResultFrame
from tests.support import trial
from tests.support.fits import crosschecked, named, recorded, replicates, shown

REPORTS: dict[str, Callable[[], Any]] = {
    "summary": lambda: named("slope").summary(),
    "varcomp_vcov": lambda: named("slope").varcomp_vcov(),
    "apvar": lambda: recorded("orthodont-seed").apvar,
    "crosscheck": lambda: crosschecked(shown("nested")),
    "bootstrap": lambda: replicates(shown("gls")),
    "diagnosis": lambda: named("zero").diagnose(),
    "test": lambda: trial.fit().test("b1 = 0" if "b1" in trial.fit().params else TESTED),
    "random effects": lambda: named("nested").random_effects,
    "profile": lambda: named("slope").profile("sigma_sq"),
}
FRAMES: dict[str, Callable[[], pd.DataFrame]] = {
    "tidy": lambda: named("slope").tidy(),
    "fixed_effects": lambda: named("slope").fixed_effects(),
    "to_frame": lambda: named("slope").varcomp_vcov().to_frame(),
    "intervals": lambda: named("slope").intervals(methods=["log"]),
    "compare": lambda: rb.compare(recorded("rail-intercept-ml"), recorded("rail-intercept-ml")),
    "acf": lambda: recorded("orthodont-seed").acf(),
}
TESTED = f"{list(trial.fit().params.index)[1]} = 0"


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_can_be_pasted_and_written(name: str, tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    report = REPORTS[name]()
    assert str(report) == report.to_text() and report.to_html() == report._repr_html_()
    assert "|" in report.to_markdown() or name == "test"
    latex = report.to_latex()
    assert latex.count(r"\begin{") == latex.count(r"\end{")
    report.to_excel(tmp_path / "report.xlsx")
    sheet = pd.read_excel(tmp_path / "report.xlsx", header=None)
    assert sheet.notna().to_numpy().sum() > 3


@pytest.mark.parametrize("name", FRAMES)
def test_every_table_can_be_pasted_without_other_packages(name: str) -> None:
    frame = FRAMES[name]()
    assert isinstance(frame, ResultFrame)
    lines = frame.to_markdown().splitlines()
    assert {line.count("|") for line in lines[: 2 + len(frame)]} == {lines[1].count("|")}
    assert frame.to_latex().count(r" \\") == 1 + len(frame)
    assert frame.to_html().count("<tr>") == 1 + len(frame)


def test_markdown_keeps_the_lines_of_a_text_apart() -> None:
    check = crosschecked(shown("nested"))
    for report, first in ((named("slope").summary(), "rows:"), (check, "C:")):
        (line,) = [x for x in report.to_markdown().splitlines() if first in x]
        assert line.endswith("  ")
    markdown = pytest.importorskip("markdown_it").MarkdownIt()
    rendered = markdown.render(check.to_markdown())
    assert rendered.count("<br") == len(check.findings) and check.verdict in rendered


@pytest.mark.parametrize("form", ["html", "markdown", "latex"])
@pytest.mark.parametrize("name", [*REPORTS, *FRAMES])
def test_with_a_path_it_is_a_file(name: str, form: str, tmp_path: Path) -> None:
    shown = {**REPORTS, **FRAMES}[name]()
    for path in (tmp_path / "a", str(tmp_path / "b")):
        assert getattr(shown, f"to_{form}")(path) is None
        written = Path(path).read_text("utf-8")
        assert written.endswith(getattr(shown, f"to_{form}")())
        assert written.startswith('<!doctype html>\n<meta charset="utf-8">') == (form == "html")


def test_excel_keeps_numbers_as_numbers(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    table = named("slope").varcomp_vcov().to_frame()
    table.to_excel(tmp_path / "table.xlsx")
    back = pd.read_excel(tmp_path / "table.xlsx", index_col=0).iloc[: len(table)]
    np.testing.assert_allclose(back.to_numpy(float), table)
    assert list(back.index) == list(table.index)
    Report("Title", [("Heading", table)]).to_excel(tmp_path / "report.xlsx")
    back = pd.read_excel(tmp_path / "report.xlsx", header=3, index_col=0)
    np.testing.assert_allclose(back.to_numpy(float), table)


def test_excel_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent(*args: Any, **options: Any) -> Any:
        raise ModuleNotFoundError("No module named 'openpyxl'")

    monkeypatch.setattr(pd, "ExcelWriter", absent)
    with pytest.raises(InstallationError, match="pip install openpyxl"):
        Report("title", []).to_excel(tmp_path / "a.xlsx")


def test_excel_refuses_another_ending(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="to_excel writes .xlsx"):
        named("slope").tidy().to_excel(tmp_path / "table.txt")


def test_latex_sets_every_name_as_it_is() -> None:
    assert latex_text("a_b & 50% of $x^2$") == r"a\_b \& 50\% of \$x\textasciicircum{}2\$"
    assert latex_text("-0.5") == "$-$0.5" and latex_text("a-b") == "a-b"


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="LaTeX is not installed")
def test_latex_compiles(tmp_path: Path) -> None:
    body = named("slope").summary().to_latex() + named("slope").tidy().to_latex()
    head = r"\documentclass{article}\usepackage{booktabs}\begin{document}"
    (tmp_path / "a.tex").write_text(head + body + r"\end{document}", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)


def test_arguments_are_pandas_own() -> None:
    frame = pd.DataFrame({"estimate": [1.5]}, index=["a"])
    plain, ours = frame.to_html(border=0), ResultFrame(frame).to_html(border=0)
    assert ours == plain


# --- within the width of the page -----------------------------------------------------------


def width(frame: pd.DataFrame) -> int:
    return max(map(len, repr(frame).splitlines()))


@pytest.mark.parametrize("name", FRAMES)
def test_tables_print_within_eighty_columns_and_leave_nothing_out_unsaid(name: str) -> None:
    frame = FRAMES[name]()
    printed = repr(frame)
    assert width(frame) <= 80 and str(frame) == printed
    assert "..." not in printed
    assert [c for c in frame.columns if c not in printed and frame[c].astype(bool).any()] == []


def test_tidy_shows_estimate_and_p_in_columns() -> None:
    fit = recorded("orthodont-seed")
    head, *rows = repr(fit.tidy()).splitlines()
    assert head.split() == "group term estimate std_error statistic df p_value".split()
    cells = rows[1].split()
    assert cells[1] == "age" and float(cells[2]) == pytest.approx(fit.params["age"], rel=1e-3)
    assert float(cells[-1]) == pytest.approx(fit.pvalues["age"], rel=1e-2)
    assert "conf_method: t, 95%, containment (nlme); Wald" in repr(fit.tidy())


def test_columns_that_say_nothing_are_left_out_and_texts_are_said_below() -> None:
    small, large = recorded("rail-intercept-ml"), recorded("rail-intercept-ml")
    table = rb.compare(small, large).assign(mixture=["", "because"], AIC=1 / 3)
    with pd.option_context("display.width", 60):
        printed = repr(table)
    assert "note" not in printed and "mixture: because" in printed.splitlines()


def test_what_is_made_of_a_table_prints_like_one_and_wider_pages_show_more() -> None:
    tidy = recorded("orthodont-seed").tidy()
    assert width(tidy[tidy["effect"] == "fixed"].copy()) <= 80
    with pd.option_context("display.width", 200):
        assert repr(tidy) == repr(pd.DataFrame(tidy).to_string()).strip("'").replace("\\n", "\n")
    with pd.option_context("display.width", 30):
        assert set(tidy.columns) <= set(re.findall(r"\w+", repr(tidy)))


def intervals() -> pd.DataFrame:
    """Too wide for any page: numbers, a column that says the same everywhere, long notes."""
    names = [f"Tau.subject.cov(the_age_at_visit,(Intercept)){k}" for k in range(3)]
    numbers = {"lower": [-1.234567, 0.1, 2], "estimate": 1234.5678, "upper": [2e3, 3e3, 4e3]}
    notes = ["", "why " * 50, ""]
    given = {"component": names, "method": "satterthwaite", **numbers, "level": 0.95}
    return ResultFrame({**given, "note": notes})


def test_a_wide_table_is_one_block_with_its_notes_below() -> None:
    with pd.option_context("display.width", 76):
        printed = repr(intervals())
    assert max(map(len, printed.splitlines())) <= 76 and "\\" not in printed
    head, *rows = printed.splitlines()
    assert head.split() == ["component", "lower", "estimate", "upper"]
    assert rows[0].split() == [
        "Tau.subject.cov(the_age_at_visit,(Intercept))0",
        "-1.235",
        "1235",
        "2000",
    ]
    assert rows[3:5] == ["method: satterthwaite", "level: 0.95"]
    assert rows[5].startswith("note on Tau.subject.cov(the_age_at_visit,(Intercept))1 satterth")
    assert "".join(rows[5:]).count("why") == 50


def test_what_is_wider_still_names_what_it_leaves_out() -> None:
    values = {f"fixed.a long coefficient{k}": [1.5, 2.5] for k in range(30)}
    frame = ResultFrame({"outcome": ["a", "b"], "converged": [True, True], **values})
    printed = repr(frame)
    assert width(frame) <= 80 and "\\" not in printed
    head, *_ = printed.splitlines()
    assert head.split()[0] == "outcome" and "coefficient0" in head
    assert "converged" in printed and "(not shown: " in printed and "more)" in printed
    assert "why" in repr(intervals()[["note"]]).splitlines()[2]  # a column stays
    twice = ResultFrame(pd.concat([pd.DataFrame(frame)] * 2, axis=1))
    assert width(twice) <= 80


def test_row_numbers_and_t_go_before_the_degrees_of_freedom() -> None:
    arms = trial.fit().means("arm", by="visit").contrasts()
    brief = [c for c in arms if c != "t"]
    with pd.option_context("display.width", 62):
        head, first, *_, last = repr(arms).splitlines()
    assert head.split() == brief and first.split()[0] == "A"
    assert last == "(not shown: t)"
    with pd.option_context("display.width", 50):
        head = repr(arms).splitlines()[0].split()
    assert "df" in head and "lower" not in head


# --- what they are --------------------------------------------------------------------------


def test_reprs_say_what_they_are() -> None:
    fit = recorded("orthodont-seed")
    said = repr(fit.profile("sigma_sq"))
    assert said == "<Profile likelihood: 1 curve, 95% intervals of sigma_sq>"
    assert repr(fit.lmeinfo).startswith("<R's lmeInfo ")
    said = repr(fit.random_effects)
    assert said.startswith("<RandomEffects of subject (27 groups: (Intercept), age)")
    assert "27 groups of subject" in str(fit.random_effects)
    assert repr(named("gls").random_effects) == "<RandomEffects of no level; a frame by each name>"
