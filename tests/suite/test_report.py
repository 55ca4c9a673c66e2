"""The report of a suite: verdicts, formats, and a comment that fits."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from rbridge.check.findings import FAILURE, NOTE, OK, UNCHECKED, WARNING, Finding
from rbridge.suite.differences import NamedValues, compared
from rbridge.suite.report import COMMENT_LIMIT, SuiteReport
from rbridge.suite.run import Outcome, explained, judged

C = Finding("C", FAILURE, 2e-8, "differ by 2e-8")


def report(n: int = 3) -> SuiteReport:
    bad = Outcome("bad", "f:1", "y ~ x", (C, Finding("A", NOTE, 0.1, "a <b> | c")))
    lost = Outcome("lost", "f:2", "lost", (Finding("fit", UNCHECKED, None, "no data"),))
    fine = Outcome("fine", "f:3", "y ~ x", (Finding("C", OK, 1e-13, "agree"),), None, {"R": "4"})
    return SuiteReport("models.toml", (bad, lost, *[fine] * (n - 2)))


def test_verdicts_and_formats() -> None:
    found = report()
    assert found.code == 1 and found.headline() == (
        "3 models: 1 agrees, 1 disagrees, 1 could not be checked"
    )
    assert SuiteReport("x", found.outcomes[1:]).code == 2
    assert SuiteReport("x", found.outcomes[2:]).code == 0
    assert [m["verdict"] for m in json.loads(found.to_json())["models"]][0] == "disagrees"
    suite = ElementTree.fromstring(found.to_junit())
    assert [suite.get(k) for k in ("tests", "failures", "errors")] == ["3", "1", "1"]
    assert [case.find(tag) is not None for case, tag in zip(suite, ("failure", "error"))] == [
        True
    ] * 2
    for text in (found.to_text(), found.to_html(), found.to_markdown()):
        assert "differ by 2e-8" in text and "no data" in text


def test_the_markdown_fits_a_comment() -> None:
    big = report(5000)
    assert len(big.to_markdown()) <= COMMENT_LIMIT + 500
    worse = SuiteReport("models.toml", big.outcomes[:1] * 3000)
    text = worse.to_markdown()
    assert len(text) <= COMMENT_LIMIT + 500 and "and more" in text


def against_r() -> SuiteReport:
    """A model that drifted, one with a warning, one without a reference."""
    scale = np.array([2.0, 0.5])
    then, now = (NamedValues(("(Intercept)", "age"), np.array(v)) for v in ([16.0, 0.66], [16, 1]))
    wrong = compared("fixef", then, now, 1e-4, scale=scale, where="; drift")
    r = {"R": "4.2.2", "nlme": "3.1.162", "lmeInfo": "0.3.3", "BLAS": "/a"}
    today = {**r, "R": "4.5"}
    warned = Finding("A", WARNING, 0.1, "apVar is 0.1 off")
    fine = Finding("C", OK, 1e-13, "agree")
    outcomes = (
        Outcome("drifted", "refs/a.json", "y ~ age", (wrong, fine), None, r, 1.5, today),
        Outcome("warned", "refs/b.json", "y ~ 1", (warned, fine), None, r, 0.5),
        Outcome("alone", "refs/c.json", "y ~ 1", (Finding("C", NOTE, None, "no reference"),)),
    )
    return SuiteReport("models.toml against refs", outcomes, recorded=True)


def test_a_disagreement_shows_the_numbers() -> None:
    (drifted, *_) = json.loads(against_r().to_json())["models"]
    found = drifted["findings"][0]
    assert found["parameters"] == ["age"] and found["size"] == pytest.approx(0.34 / 0.5)
    assert "age: recorded 0.66, today 1 (0.68 standard errors)" in found["text"]
    assert drifted["today"]["R"] == "4.5" and drifted["provenance"]["R"] == "4.2.2"


def test_both_installations_are_named() -> None:
    text = against_r().to_text()
    assert "recorded with R 4.2.2, nlme 3.1.162, lmeInfo 0.3.3, BLAS /a" in text
    assert "today with R 4.5, nlme 3.1.162" in text


def test_no_reference_is_not_an_agreement_and_warnings_are_shown() -> None:
    found = against_r()
    assert found.headline() == "3 models: 1 agrees, 1 without a reference, 1 disagrees"
    for text in (found.to_text(), found.to_markdown(), found.to_html()):
        assert "apVar is 0.1 off" in text
    assert [o.mark for o in found.outcomes] == ["✗", "✓!", "·"]


def test_junit_has_time_properties_and_a_class() -> None:
    case = ElementTree.fromstring(against_r().to_junit())[0]
    assert case.get("classname") == "rbridge.models" and case.get("time") == "1.500"
    found = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert found["R"] == "4.2.2" and found["R today"] == "4.5" and found["model"] == "y ~ age"


def test_a_gap_names_its_components() -> None:
    index = ["Tau.g.var((Intercept))", "sigma_sq"]
    rows = {"estimate": [1, 2], "expected": [3.0, 4.0], "lmeInfo": [2.0, 4.0], "C": [0.5, 0.0]}
    (found,) = explained([C], pd.DataFrame(rows, index=index))
    assert found.parameters[0] == "Tau.g.var((Intercept))"
    assert "standard error 3 (expected), 2 (lmeInfo), +0.5 relative" in found.text


def test_lines_fit_a_terminal_and_say_what_to_look_at() -> None:
    text = against_r().to_text()
    assert max(map(len, text.splitlines())) <= 80
    assert "rbridge record --yes" in text and "fit.diagnose()" in text


def test_annotations_name_the_line_the_worst_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    found = SuiteReport("x", (*report().outcomes[1:], report().outcomes[0])).annotations()
    assert found.splitlines() == [
        "::error file=f,line=1,title=bad%3A C::differ by 2e-8",
        "::error file=f,line=2,title=lost%3A fit::no data",
    ]
    assert "::warning file=refs/b.json,title=warned%3A A::apVar is" in against_r().annotations()


def test_a_tighter_tolerance_names_the_component() -> None:
    near = Finding("estimates", OK, 1e-12, "1e-12 apart", ("sigma_sq",))
    (found,) = judged([near], {"estimates": 1e-13}, {})
    assert found.level == FAILURE and found.text.endswith("; farthest: sigma_sq")


@pytest.mark.parametrize("told", ["*a*", "<b>", "a|b", "`x`", "[u](v)", "a_b_c"])
def test_markdown_shows_what_was_said(told: str) -> None:
    lost = Outcome("lost", "f:2", "lost", (Finding("fit", UNCHECKED, None, told),))
    (line,) = [x for x in SuiteReport("x", (lost,)).to_markdown().splitlines() if "fit:" in x]
    assert re.sub(r"\\([^a-z\s])", r"\1", line.partition("fit: ")[2]) == told
    assert not re.search(r"(?<!\\)[*_<`|\[\]]", line)
