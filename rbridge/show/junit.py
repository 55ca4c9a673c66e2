"""JUnit XML, as CI systems read it: a suite of cases, each passed, failed, broken or skipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

State = Literal["passed", "failure", "error", "skipped"]


@dataclass(frozen=True)
class JUnitCase:
    """One case of a suite.

    Attributes
    ----------
    name : str
    state : {"passed", "failure", "error", "skipped"}
    message, details : str
        Of what did not pass: in a line, and in full.
    output : str
        What was said, whatever the state.
    seconds : float, optional
    """

    name: str
    state: State
    message: str = ""
    details: str = ""
    output: str = ""
    seconds: float | None = None


def junit(name: str, cases: Sequence[JUnitCase]) -> str:
    """The suite as text; it has a time where its cases have one."""
    states = [case.state for case in cases]
    counts = {"tests": len(cases), "failures": states.count("failure")}
    counts |= {"errors": states.count("error"), "skipped": states.count("skipped")}
    root = ElementTree.Element(
        "testsuite", {"name": name, **{k: str(n) for k, n in counts.items()}}
    )
    times = [case.seconds for case in cases if case.seconds is not None]
    if times:
        root.set("time", f"{sum(times):.3f}")
    for case in cases:
        _add(root, name, case)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def _add(root: ElementTree.Element, suite: str, case: JUnitCase) -> None:
    element = ElementTree.SubElement(root, "testcase", {"classname": suite, "name": case.name})
    if case.seconds is not None:
        element.set("time", f"{case.seconds:.3f}")
    if case.state != "passed":
        told = ElementTree.SubElement(element, case.state, {"message": case.message})
        told.text = case.details or None
    if case.output:
        ElementTree.SubElement(element, "system-out").text = case.output
