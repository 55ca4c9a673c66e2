"""The report of a suite: verdicts, formats, and a comment that fits."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from rbridge.check.findings import FAILURE, NOTE, OK, UNCHECKED, Finding
from rbridge.suite.report import COMMENT_LIMIT, SuiteReport
from rbridge.suite.run import Outcome

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
