"""How closely numbers must agree, each with the reason; docs/ci.md shows this table."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.delta import APVAR_ERROR


@dataclass(frozen=True)
class Tolerance:
    """A relative tolerance and why it is no smaller and no larger."""

    value: float
    why: str


def is_tolerance(value: object) -> bool:
    """A positive number with an end: infinity would switch the check off."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and 0 < value < float("inf")  # type: ignore[operator]


# Two programs, one fit: what fit.crosscheck() finds.
CHECK = {
    "log-likelihood": Tolerance(1e-8, "computed here against nlme's, at the same estimates"),
    "optimum": Tolerance(
        1e-2, "standard errors from where the search stopped to the optimum; beyond: a warning"
    ),
    "A": Tolerance(
        APVAR_ERROR, "nlme's finite differences against the exact Hessian; beyond: a warning"
    ),
    "B": Tolerance(1e-5, "observed against expected; beyond: a note, both are right"),
    "C": Tolerance(1e-8, "one formula by two programs: only rounding is left"),
    "C average": Tolerance(1e-8, "as C, for the average information"),
    "estimates": Tolerance(1e-8, "one fit read by two programs"),
}

# One program, two fits: today's R against a record. Measured in docs/ci.md.
DRIFT = {
    "logLik": Tolerance(1e-8, "flat at the optimum: the optimiser's noise enters squared"),
    "fixef": Tolerance(1e-4, "in standard errors; follows the variance components"),
    "std.error": Tolerance(1e-4, "of the fixed effects; follows the variance components"),
    "varcomp": Tolerance(1e-3, "in standard errors: how far nlme stops from the optimum"),
    "Pars": Tolerance(1e-3, "as varcomp, on nlme's unconstrained scale"),
    "apVar": Tolerance(0.1, "nlme's finite differences are noise beyond the first digit or two"),
    "expected": Tolerance(1e-3, "lmeInfo's information; follows the variance components"),
    "average": Tolerance(1e-3, "as expected"),
}

TOLERANCES = CHECK | DRIFT
