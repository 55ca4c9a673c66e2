"""A finding: one thing that was looked at, how it stands, and a sentence about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

OK, NOTE, WARNING, FAILURE, UNCHECKED = "ok", "note", "warning", "failure", "unchecked"
ANNOTATED: dict[str, Literal["error", "warning"]] = {  # as CI systems call them, the worst first
    FAILURE: "error",
    UNCHECKED: "error",
    WARNING: "warning",
}
MARKS = {OK: "✓", NOTE: "·", WARNING: "!", FAILURE: "✗", UNCHECKED: "?"}


@dataclass(frozen=True)
class Finding:
    """What was found.

    Attributes
    ----------
    code : str
        What was looked at: ``A``, ``B``, ``C``, ``gradient``, ``boundary`` …
    level : {"ok", "note", "warning", "failure", "unchecked"}
        ``unchecked``: it should have been looked at and could not be.
    size : float or None
        How much, in the unit that ``text`` names; None where there is nothing to measure.
    text : str
        One sentence, with what to do where something can be done.
    parameters : tuple of str
        Labels of the components concerned.
    """

    code: str
    level: str
    size: float | None
    text: str
    parameters: tuple[str, ...] = ()


def lines(findings: Iterable[Finding]) -> str:
    """One line a finding, marked by its level."""
    return "\n".join(f"{MARKS[f.level]} {f.code}: {f.text}" for f in findings)
