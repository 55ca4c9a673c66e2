"""One thing proved, or not: what was expected, what was found, and how far they may differ."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..check.verdict import Verdict

INSTALLATION, OPERATION, PERFORMANCE = "installation", "operation", "performance"
SECTIONS = {
    INSTALLATION: "Is what is installed what was released?",
    OPERATION: "Does it work here, and does a second method agree?",
    PERFORMANCE: "Does it meet the figures that others have published?",
}


@dataclass(frozen=True)
class Proof:
    """One check of a qualification.

    Attributes
    ----------
    section : {"installation", "operation", "performance"}
    group : str
        What it belongs to within the section; for a figure the model.
    name : str
    source : str
        Where what was expected comes from.
    expected, found : str
    tolerance : float or None
        The largest difference that passes, on the scale of the figure.
    why : str
        Why it is no smaller and no larger; of what could not be checked or was not run, the reason.
    verdict : Verdict or None
        None: not run, as asked for.
    seconds : float
    difference : float or None
        Found less expected.
    """

    section: str
    group: str
    name: str
    source: str
    expected: str
    found: str
    tolerance: float | None
    why: str
    verdict: Verdict | None
    seconds: float = 0.0
    difference: float | None = None


def compared(proof: Proof, found: float, expected: float, tolerance: float) -> Proof:
    """The proof with its verdict: numbers that differ by the tolerance at most, and are numbers."""
    difference = found - expected
    known = math.isfinite(difference)
    agree = known and abs(difference) <= tolerance
    return replace(
        proof,
        tolerance=tolerance,
        difference=difference if known else None,
        verdict=Verdict.AGREE if agree else Verdict.DISAGREE,
    )


def stated(proof: Proof, found: str, ok: bool) -> Proof:
    """The proof of something that holds or does not."""
    return replace(proof, found=found, verdict=Verdict.AGREE if ok else Verdict.DISAGREE)


def unchecked(proof: Proof, why: str) -> Proof:
    """The proof of what could not be looked at."""
    return replace(proof, found="could not be checked", why=why, verdict=Verdict.UNCHECKED)


def not_run(proof: Proof, why: str) -> Proof:
    """The proof of what was left out, as asked for."""
    return replace(proof, found="not run", why=why, verdict=None)


def timed(work: Callable[[], Proof]) -> Proof:
    """The proof with its seconds."""
    start = time.perf_counter()
    proof = work()
    return replace(proof, seconds=time.perf_counter() - start)
