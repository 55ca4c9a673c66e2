"""Likelihood ratios of two models on responses drawn from the smaller one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ..core.simulate import Reordered
from ..core.snapshot import FitSnapshot
from ..fit.components import Fit
from .bootstrap import Refit, Replicate
from .parallel import collect
from .progress import Progress


@dataclass(frozen=True)
class Pair:
    """Both models: draw number i of the smaller one is fitted by either."""

    small: Refit
    large: Refit

    @classmethod
    def of(cls, small: Fit, large: Fit, entropy: int) -> Pair:
        """The fits are of the same rows, each in an order of its own."""
        null = Refit.of(small, entropy, log_likelihood)
        other = Refit.of(large, entropy, log_likelihood)
        place = np.argsort(small.snapshot.rows)
        order = place[np.searchsorted(small.snapshot.rows[place], large.snapshot.rows)]
        return cls(null, replace(other, source=Reordered(null.source, order)))

    def replicates(self, start: int, stop: int) -> list[Replicate]:
        return [self.replicate(i) for i in range(start, stop)]

    def replicate(self, i: int) -> Replicate:
        """``values`` is 2(ℓ₁ − ℓ₀) of draw number i."""
        fits = [self.small.replicate(i), self.large.replicate(i)]
        reasons = [
            f"{name} model: {f.reason}" for name, f in zip(("smaller", "larger"), fits) if f.reason
        ]
        warnings = (*fits[0].warnings, *fits[1].warnings)
        failures = sum(f.failures for f in fits)
        if fits[0].values is None or fits[1].values is None:
            return Replicate(None, "; ".join(reasons), warnings, failures)
        return Replicate(2 * (fits[1].values - fits[0].values), "", warnings, failures)


def log_likelihood(snapshot: FitSnapshot) -> pd.Series:
    """Exact where sigma is fixed, too."""
    return pd.Series({"llf": Fit(snapshot).llf})


def likelihood_ratios(
    small: Fit, large: Fit, n: int, entropy: int, n_jobs: int | None, progress: Progress
) -> tuple[Sequence[Replicate], bool]:
    """n replicates, and whether there are fewer because of an interrupt."""
    pair = Pair.of(small, large, entropy)
    return collect(partial(_task, pair), n, n_jobs=n_jobs, progress=progress, what="replicates")


def _task(pair: Pair, start: int, stop: int) -> Any:
    return partial(pair.replicates, start, stop)
