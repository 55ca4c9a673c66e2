"""Results made without R, for analyses, tables and pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from rbridge.check.crosscheck import Crosscheck
from rbridge.check.findings import Finding
from rbridge.core.snapshot import FitSnapshot
from rbridge.many.bootstrap import Bootstrap, Replicate, estimates_of
from rbridge.results import LmeResults
from tests.support import brute, designs, references


def with_vcov(snapshot: FitSnapshot) -> FitSnapshot:
    """The snapshot with the covariance of β that its V implies."""
    X = snapshot.X
    return replace(snapshot, vcov=np.linalg.inv(X.T @ np.linalg.solve(brute.marginal(snapshot), X)))


def named(levels: str = "slope", cor: str = "", var: str = "", **options: object) -> LmeResults:
    """A fit of ``designs`` with the structures of these names."""
    return as_at_maximum(LmeResults(with_vcov(designs.named(levels, cor, var, **options))))


def as_at_maximum(made_up: LmeResults) -> LmeResults:
    """The fit, about whose place below the maximum nothing is said."""
    made_up.__dict__["visible_rise"] = 0.0
    return made_up


def recorded(name: str) -> LmeResults:
    """nlme's fit of a model of the suite, as it was recorded."""
    return LmeResults(references.recorded(name))


def shown(levels: str, cor: str = "", var: str = "") -> LmeResults:
    """One that can be drawn: it has a formula, fitted values and random effects."""
    plain = designs.named(levels, cor, var)
    population = plain.X @ plain.beta
    rng = np.random.default_rng(0)
    drawn = tuple(replace(level, b=rng.normal(size=level.b.shape)) for level in plain.levels)
    fitted = np.repeat(population[:, None], 1 + len(drawn), axis=1)
    return LmeResults(replace(plain, spec={"fixed": "y ~ t + x"}, fitted=fitted, levels=drawn))


def replicates(fit: LmeResults) -> Bootstrap:
    """300 replicates and one failure."""
    estimates = estimates_of(fit.snapshot).to_numpy()
    rng = np.random.default_rng(1)
    drawn = estimates * np.exp(0.3 * rng.normal(size=(300, len(estimates))))
    failed = Replicate(None, "no", (), 1)
    return Bootstrap(fit.snapshot, [*map(Replicate, drawn), failed], 301, 1)


def crosschecked(fit: LmeResults, *missing: str) -> Crosscheck:
    """Gaps A, B and C, but the missing ones, under a long title."""
    table = pd.DataFrame({"estimate": fit.varcomp, "A": 1e-3, "B": 0.2, "C": 0.0})
    title = "y ~ " + " + ".join(f"x{i}" for i in range(40))
    findings = (Finding("C", "ok", 0.0, "they agree"),)
    return Crosscheck(title, table.drop(columns=[*missing]), findings, {})
