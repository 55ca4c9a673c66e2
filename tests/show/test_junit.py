"""JUnit XML by a second reader: the standard library's."""

from __future__ import annotations

from xml.etree import ElementTree

from rbridge.show.junit import JUnitCase, junit


def read(*cases: JUnitCase) -> ElementTree.Element:
    text = junit("models <1> & more", cases)
    assert text.startswith("<?xml")
    return ElementTree.fromstring(text)


FINE = JUnitCase("fine", "passed", output="all ‹well›")
BAD = JUnitCase("bad", "failure", "differs", 'by 2e-8 & "so"', "said")
LOST, LEFT = JUnitCase("lost", "error", "no data"), JUnitCase("left", "skipped", "not asked")


def test_every_case_is_counted_once() -> None:
    suite = read(FINE, BAD, LOST, LEFT, LEFT)
    counts = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "5", "failures": "1", "errors": "1", "skipped": "2"}
    assert [case.get("classname") for case in suite] == ["models <1> & more"] * 5


def test_what_was_said_comes_through() -> None:
    fine, bad, lost = read(FINE, BAD, LOST)
    assert [child.tag for child in fine] == ["system-out"] and fine[0].text == "all ‹well›"
    assert bad[0].tag == "failure" and bad[0].get("message") == "differs"
    assert bad[0].text == 'by 2e-8 & "so"' and bad[1].text == "said"
    assert [child.tag for child in lost] == ["error"]


def test_times_add_up_where_there_are_any() -> None:
    timed = read(JUnitCase("a", "passed", seconds=0.25), JUnitCase("b", "passed", seconds=1.5))
    assert timed.get("time") == "1.750" and timed[0].get("time") == "0.250"
    assert "time" not in read(FINE).attrib
