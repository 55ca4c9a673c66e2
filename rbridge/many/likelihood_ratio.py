"""Likelihood ratios of two models on responses drawn from the smaller one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..core.simulate import Process, Reordered, generator, process
from ..core.snapshot import FitSnapshot
from ..fit.components import Fit
from ..fit.native import NativeRefit
from .bootstrap import DRAWN, Refit, Replicate, in_goes
from .parallel import collect


@dataclass(frozen=True)
class Pair:
    """Both models: draw number i of the smaller one is fitted by either."""

    small: Refit
    large: Refit
    at_once: ClassVar[int] = 1

    @classmethod
    def of(cls, small: Fit, large: Fit, entropy: int, engine: str) -> Pair:
        """The fits are of the same rows, each in an order of its own."""
        null, other = (Refit.of(fit, entropy, log_likelihood, engine) for fit in (small, large))
        return cls(null, replace(other, source=Reordered(null.source, _order(small, large))))

    def replicates(self, start: int, stop: int) -> list[Replicate]:
        return [self.replicate(i) for i in range(start, stop)]

    def replicate(self, i: int) -> Replicate:
        """``values`` is 2(ℓ₁ − ℓ₀) of draw number i."""
        small, large = self.small.replicate(i), self.large.replicate(i)
        if small.values is None or large.values is None:
            found = _replicate(np.nan, small.reason, large.reason)
        else:
            found = Replicate(2 * (large.values - small.values))
        warnings = (*small.warnings, *large.warnings)
        return replace(found, warnings=warnings, failures=small.failures + large.failures)


def _order(small: Fit, large: Fit) -> NDArray[np.intp]:
    """Where each row of the larger model stands among those of the smaller one."""
    place = np.argsort(small.snapshot.rows)
    return place[np.searchsorted(small.snapshot.rows[place], large.snapshot.rows)]


@dataclass(frozen=True)
class PairHere:
    """The same without R: many draws at once where the models allow it."""

    small: NativeRefit
    large: NativeRefit
    source: Process
    order: NDArray[np.intp]
    entropy: int

    @classmethod
    def of(cls, small: Fit, large: Fit, entropy: int) -> PairHere:
        null, other = NativeRefit.of(small.snapshot), NativeRefit.of(large.snapshot)
        return cls(null, other, process(small.snapshot), _order(small, large), entropy)

    @property
    def at_once(self) -> int:
        return min(DRAWN, self.small.at_once, self.large.at_once)

    def replicates(self, start: int, stop: int) -> list[Replicate]:
        found: list[Replicate] = []
        for numbers in in_goes(start, stop):
            Y = self.source.draw_all([generator(self.entropy, i) for i in numbers])
            small, large = self.small.refits(Y), self.large.refits(Y[:, self.order])
            ratios = 2 * (large.log_lik - small.log_lik)
            found += map(_replicate, ratios, small.reasons, large.reasons)
        return found


def _replicate(ratio: float, *reasons: str) -> Replicate:
    failed = [f"{name} model: {why}" for name, why in zip(("smaller", "larger"), reasons) if why]
    if failed:
        return Replicate(None, "; ".join(failed), (), len(failed))
    return Replicate(np.array([ratio]))


def log_likelihood(snapshot: FitSnapshot) -> pd.Series:
    """Exact where sigma is fixed, too."""
    return pd.Series({"llf": Fit(snapshot).llf})


def likelihood_ratios(
    small: Fit, large: Fit, n: int, entropy: int, engine: str, **run: Any
) -> tuple[Sequence[Replicate], bool]:
    """n replicates, and whether there are fewer because of an interrupt.

    ``run``: ``n_jobs`` and ``progress`` of :func:`.parallel.collect`, ``what`` they are called.
    """
    pair: Pair | PairHere = (
        PairHere.of(small, large, entropy)
        if engine == "native"
        else Pair.of(small, large, entropy, engine)
    )
    return collect(partial(_task, pair), n, least=pair.at_once, **run)


def _task(pair: Pair | PairHere, start: int, stop: int) -> Any:
    return partial(pair.replicates, start, stop)
