"""JUnit XML, as CI systems read it: a suite of cases, each passed, failed, broken or skipped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from xml.etree import ElementTree

# no XML has them, not even escaped
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
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
    classname : str
        By which CI systems group the cases; the suite's name unless given.
    properties : mapping of str to str
    """

    name: str
    state: State
    message: str = ""
    details: str = ""
    output: str = ""
    seconds: float | None = None
    classname: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


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
    text = _FORBIDDEN.sub(_spelled, ElementTree.tostring(root, "unicode"))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'


def _spelled(match: re.Match[str]) -> str:
    return rf"\u{ord(match[0]):04x}"


def _add(root: ElementTree.Element, suite: str, case: JUnitCase) -> None:
    element = ElementTree.SubElement(
        root, "testcase", {"classname": case.classname or suite, "name": case.name}
    )
    if case.seconds is not None:
        element.set("time", f"{case.seconds:.3f}")
    if case.properties:
        listed = ElementTree.SubElement(element, "properties")
        for name, value in case.properties.items():
            ElementTree.SubElement(listed, "property", {"name": name, "value": value})
    if case.state != "passed":
        told = ElementTree.SubElement(element, case.state, {"message": case.message})
        told.text = case.details or None
    if case.output:
        ElementTree.SubElement(element, "system-out").text = case.output
