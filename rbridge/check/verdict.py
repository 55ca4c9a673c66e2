"""The verdict on findings: the numbers agree, disagree, or could not be checked."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from .findings import FAILURE, MARKS, OK, UNCHECKED, Finding


class Verdict(IntEnum):
    """What findings come to; its number is the exit status of the command line."""

    AGREE = 0
    DISAGREE = 1
    UNCHECKED = 2

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Verdict:
        """One failure is a disagreement; else what could not be looked at leaves it open."""
        levels = {finding.level for finding in findings}
        return cls.worst(verdict for verdict in cls if verdict.level in levels)

    @classmethod
    def worst(cls, verdicts: Iterable[Verdict]) -> Verdict:
        """A disagreement outweighs what could not be checked, and that an agreement."""
        found = set(verdicts)
        return next((v for v in (cls.DISAGREE, cls.UNCHECKED) if v in found), cls.AGREE)

    @property
    def level(self) -> str:
        """The level of the findings that lead to it."""
        return (OK, FAILURE, UNCHECKED)[self]

    @property
    def mark(self) -> str:
        """One character: ✓, ✗ or ?."""
        return MARKS[self.level]

    def words(self, n: int = 1) -> str:
        """What n models do: ``agrees``, ``agree``."""
        return _WORDS[self][n != 1]


_WORDS = {
    Verdict.AGREE: ("agrees", "agree"),
    Verdict.DISAGREE: ("disagrees", "disagree"),
    Verdict.UNCHECKED: ("could not be checked",) * 2,
}
