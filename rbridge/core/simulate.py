"""Responses drawn from a fitted model: Xβ + Σ Z b + ε, with nlme's correlations and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .arrays import Array
from .residuals import Roots, standard_deviations
from .snapshot import FitSnapshot


class Source(Protocol):
    """What responses are drawn from."""

    def draw(self, rng: np.random.Generator) -> Array:
        """One response, (n,) array."""


@dataclass(frozen=True)
class Reordered:
    """The responses of another source with their rows in another order."""

    source: Source
    order: Array

    def draw(self, rng: np.random.Generator) -> Array:
        return np.asarray(self.source.draw(rng)[self.order])


def generator(entropy: int, number: int) -> np.random.Generator:
    """The random numbers of draw ``number``: they depend on nothing else."""
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(number,)))


@dataclass(frozen=True)
class Process:
    """A fitted model as a source of responses.

    Attributes
    ----------
    mean : (n,) array
        Xβ̂.
    levels : tuple of (codes (n,), Z A (n, q), number of groups)
        With D = A A'; outermost level first.
    sd : (n,) array
        σ·s_i.
    roots : Roots or None
        Of the within-group correlation.
    """

    mean: Array
    levels: tuple[tuple[Array, Array, int], ...]
    sd: Array
    roots: Roots | None

    def draw(self, rng: np.random.Generator) -> Array:
        """One response: (n,) array in snapshot order, on the scale of the fit's response."""
        return np.asarray(self.draw_all([rng])[0])

    def draw_all(self, sources: Sequence[np.random.Generator]) -> Array:
        """(k, n) responses, each of its own source of randomness."""
        effects = [np.empty((len(sources), m, ZA.shape[1])) for _, ZA, m in self.levels]
        noise = np.empty((len(sources), len(self.mean)))
        for i, rng in enumerate(sources):
            for b in effects:
                b[i] = rng.standard_normal(b.shape[1:])
            noise[i] = rng.standard_normal(noise.shape[1])
            if self.roots:
                noise[i] = self.roots.color(noise[i])
        y = np.tile(self.mean, (len(sources), 1))
        for (codes, ZA, _), b in zip(self.levels, effects):
            for j, column in enumerate(ZA.T):
                y += column * b[:, codes, j]
        return np.asarray(y + self.sd * noise)


def process(snapshot: FitSnapshot) -> Process:
    """The response's distribution at the estimates.

    Raises
    ------
    NotPositiveDefinite
        The correlation matrix at the estimates has no root.

    Notes
    -----
    nlme's own ``simulate`` refuses corStruct and varFunc. A variance function of ``fitted(.)``
    keeps the weights of nlme's last iterate: the drawn responses do not feed back into them.
    """
    levels = tuple(
        (level.codes, level.Z @ _symmetric_root(level.D), len(level.labels))
        for level in snapshot.levels
    )
    roots = Roots.of(snapshot.cor) if snapshot.cor is not None else None
    return Process(snapshot.X @ snapshot.beta, levels, standard_deviations(snapshot), roots)


def _symmetric_root(D: Array) -> Array:
    """A = A' with A A = D: also of a singular D, and free of the signs of eigenvectors."""
    values, vectors = np.linalg.eigh(D)
    return np.asarray((vectors * np.sqrt(values.clip(min=0))) @ vectors.T)
