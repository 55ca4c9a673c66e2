"""The reports: each form has every proof, the page needs nothing else, the verdict is first."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from rbridge.check.verdict import Verdict
from rbridge.qualify.report import FORMS, to_annotations
from rbridge.qualify.run import Qualification, qualify
from tests.support.pages import balanced


@pytest.fixture(scope="session")
def mixed(without_r: Qualification) -> Qualification:
    """The first published figure disagrees, the second could not be checked."""
    proofs = list(without_r.proofs)
    at = next(i for i, proof in enumerate(proofs) if proof.section == "performance")
    proofs[at] = replace(proofs[at], verdict=Verdict.DISAGREE, name="<b>first</b>")
    proofs[at + 1] = replace(proofs[at + 1], verdict=Verdict.UNCHECKED, why="the reason")
    return replace(without_r, proofs=tuple(proofs))


def test_json_has_everything(mixed: Qualification) -> None:
    found = json.loads(FORMS["json"](mixed))
    assert found["exit"] == 1 and len(found["proofs"]) == len(mixed.proofs)
    words = [proof["verdict"] for proof in found["proofs"]]
    assert words.count("disagrees") == words.count("could not be checked") == 1
    assert all(proof["source"] for proof in found["proofs"])


def test_junit_counts(mixed: Qualification) -> None:
    suite = ElementTree.fromstring(FORMS["junit"](mixed))
    suite = suite if suite.tag == "testsuite" else suite[0]
    not_run = sum(proof.verdict is None for proof in mixed.proofs)
    counts = [int(suite.get(k, "")) for k in ("tests", "failures", "errors", "skipped")]
    assert counts == [len(mixed.proofs), 1, 1, not_run]
    assert {case.get("classname", "").split(".")[2] for case in suite.iter("testcase")} == {
        *("installation", "operation", "performance")
    }
    about = {p.get("name"): p.get("value") for p in suite[0]}
    assert about == mixed.about


def test_the_summary_of_a_job_and_its_annotations(mixed: Qualification) -> None:
    text = FORMS["markdown"](mixed)
    assert text.startswith("### ✗ rbridge qualify: NOT QUALIFIED") and "&lt;b>first" in text
    error, warning = to_annotations(mixed).splitlines()
    assert error.startswith("::error title=Rail, REML".replace(",", "%2C"))
    assert warning.startswith("::warning ") and "the reason" in warning


def test_the_text_lists_every_figure(mixed: Qualification) -> None:
    text = FORMS["text"](mixed)
    assert text.startswith("NOT QUALIFIED without R")
    for proof in mixed.of("performance"):
        assert f"{proof.name}: expected {proof.expected}, found {proof.found}" in text


def test_the_summary_is_short_and_shows_what_is_wrong(mixed: Qualification) -> None:
    text = FORMS["summary"](mixed)
    assert len(text.splitlines()) < 200
    assert "✗ Rail, REML (section 1.1): <b>first</b>: disagrees" in text
    assert "the reason" in text


def test_the_page_is_whole_and_needs_nothing_else(mixed: Qualification) -> None:
    html = FORMS["html"](mixed)
    assert balanced(html).rows > len(mixed.proofs)
    assert not re.search(r"<script|<link|<img|@import|url\(|src=", html)
    assert "<b>first</b>" not in html and "&lt;b&gt;first&lt;/b&gt;" in html


@pytest.mark.parametrize(
    "verdict, word",
    [
        (Verdict.AGREE, "QUALIFIED"),
        (Verdict.DISAGREE, "NOT QUALIFIED"),
        (Verdict.UNCHECKED, "NOT FULLY CHECKED"),
    ],
)
def test_the_page_says_the_verdict_first(
    without_r: Qualification, verdict: Verdict, word: str
) -> None:
    first = replace(without_r.proofs[-1], verdict=verdict)
    html = FORMS["html"](replace(without_r, proofs=(*without_r.proofs, first)))
    assert re.search(rf"<strong>. {word} without R</strong>", html.split("<table")[0])


def test_a_moment_of_the_sources_gives_the_same_record_again(
    without_r: Qualification, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(seconds: float) -> dict[str, str]:
        proofs = [replace(proof, seconds=seconds) for proof in without_r.proofs[:9]]
        monkeypatch.setattr("rbridge.qualify.run._all", lambda *_: iter(proofs))
        found = qualify(with_r=False)
        return {name: form(found) for name, form in FORMS.items()}

    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert json.loads(made(1.0)["json"])["seconds"] > 0
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first = made(1.0)
    monkeypatch.setattr("platform.node", lambda: "another")
    monkeypatch.setattr("platform.release", lambda: "another")
    assert made(2.0) == first
    assert "2023-11-14 22:13 UTC" in first["html"]
