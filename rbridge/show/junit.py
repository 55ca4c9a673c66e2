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


def junit(
    name: str,
    cases: Sequence[JUnitCase],
    *,
    seconds: float | None = None,
    properties: Mapping[str, str] | None = None,
) -> str:
    """The suite as text.

    Parameters
    ----------
    name : str
    cases : sequence of JUnitCase
    seconds : float, optional
        Of all; by default the sum of the cases that have a time.
    properties : mapping of str to str, optional
        Of the suite.
    """
    states = [case.state for case in cases]
    counts = {"tests": len(cases), "failures": states.count("failure")}
    counts |= {"errors": states.count("error"), "skipped": states.count("skipped")}
    root = ElementTree.Element(
        "testsuite", {"name": name, **{k: str(n) for k, n in counts.items()}}
    )
    times = [case.seconds for case in cases if case.seconds is not None]
    if seconds is not None or times:
        root.set("time", f"{sum(times) if seconds is None else seconds:.3f}")
    _add_properties(root, properties or {})
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
    _add_properties(element, case.properties)
    if case.state != "passed":
        told = ElementTree.SubElement(element, case.state, {"message": case.message})
        told.text = case.details or None
    if case.output:
        ElementTree.SubElement(element, "system-out").text = case.output


def _add_properties(element: ElementTree.Element, properties: Mapping[str, str]) -> None:
    if not properties:
        return
    listed = ElementTree.SubElement(element, "properties")
    for name, value in properties.items():
        ElementTree.SubElement(listed, "property", {"name": name, "value": value})


def class_name(*parts: str) -> str:
    """A class name of several parts: CI systems take a dot for the end of a package."""
    return ".".join(part.replace(".", "·") for part in parts)
