"""Parametric bootstrap: draw responses from the fitted model, fit each again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..core.intervals.resampling import bootstrap_intervals, jackknife
from ..core.parameters import theta
from ..core.simulate import Process, Source, generator, process
from ..core.snapshot import FitSnapshot
from ..errors import RError, SessionError, SpecError
from ..fit import engine as engines
from ..fit.components import Fit
from ..fit.native import NativeRefit
from ..fit.regression import in_words
from ..frame.columns import Column
from ..frame.design import Design
from ..model.spec import ModelSpec
from ..options import ENGINES, one_of
from ..show.report import Report, Reported
from ..show.result_frame import ResultFrame
from .parallel import collect
from .progress import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure


RESPONSE = (
    ".rbridge_simulated"  # stands for the response, log(y) as a whole if that is what was fitted
)
DRAWN = 2000  # responses held at once
# nlminb often gives up where a variance comes near zero. To leave these replicates out would bias
# every interval, so a refit that fails is tried once more.
SECOND_ATTEMPT = {"opt": "optim", "msMaxIter": 500}


@dataclass(frozen=True)
class Replicate:
    """One refit: its estimates or why there are none; R's warnings; how many fits failed."""

    values: NDArray[np.float64] | None
    reason: str = ""
    warnings: tuple[str, ...] = ()
    failures: int = 0


@dataclass(frozen=True)
class Refit:
    """The model and all that a worker needs to draw and fit replicate number i.

    Attributes
    ----------
    spec : ModelSpec
    design : Design
    source : Source
    names : tuple of str
        Of what ``read`` gives for the fit itself.
    entropy : int
    engine : str
    read : callable
        The Series that is kept of a refit's snapshot.
    """

    spec: ModelSpec
    design: Design
    source: Source
    names: tuple[str, ...]
    entropy: int
    engine: str
    read: Callable[[FitSnapshot], pd.Series]
    at_once: ClassVar[int] = 1

    @classmethod
    def of(
        cls,
        fit: Fit,
        entropy: int,
        read: Callable[[FitSnapshot], pd.Series] | None = None,
        engine: str = "nlme",
    ) -> Refit:
        """The data as R has them, converted once; the response is the one column to change."""
        spec, design = fit.spec, fit.in_r("a bootstrap").design
        control = {**spec.control, "apVar": False}
        read = read or estimates_of
        names = tuple(read(fit.snapshot).index)
        refitted = spec.with_response(RESPONSE, control=control)
        source, design = process(fit.snapshot), _with_response(design)
        return cls(refitted, design, source, names, entropy, engine, read)

    def replicates(self, start: int, stop: int) -> list[Replicate]:
        return [self.replicate(i) for i in range(start, stop)]

    def replicate(self, i: int) -> Replicate:
        """The replicate depends on the seed and its number, not on who computes it."""
        design = _with_response(self.design, self.source.draw(generator(self.entropy, i)))
        first = self._attempt(design, {})
        if not first.reason or "opt" in self.spec.control:
            return first
        second = self._attempt(design, SECOND_ATTEMPT)
        return replace(second, failures=second.failures + 1)

    def _attempt(self, design: Design, control: Mapping[str, Any]) -> Replicate:
        spec = replace(self.spec, control={**self.spec.control, **control})
        try:
            snapshot = engines.fit(spec, design, self.engine).snapshot
        except (RError, SessionError) as error:
            return Replicate(None, str(error), getattr(error, "warnings", ()), 1)
        if not snapshot.converged:
            return Replicate(None, f"not converged: {snapshot.warnings[0]}", snapshot.warnings, 1)
        found = self.read(snapshot)
        if tuple(found.index) != self.names:
            return Replicate(None, f"has other parameters: {', '.join(found.index)}", (), 1)
        return Replicate(found.to_numpy(), "", snapshot.warnings)


@dataclass(frozen=True)
class RefitHere:
    """The same without R: many at once where the model allows it."""

    refit: NativeRefit
    source: Process
    entropy: int

    @classmethod
    def of(cls, fit: Fit, entropy: int) -> RefitHere:
        return cls(NativeRefit.of(fit.snapshot), process(fit.snapshot), entropy)

    @property
    def at_once(self) -> int:
        return min(DRAWN, self.refit.at_once)

    def replicates(self, start: int, stop: int) -> list[Replicate]:
        found: list[Replicate] = []
        for numbers in in_goes(start, stop):
            sources = [generator(self.entropy, i) for i in numbers]
            refits = self.refit.refits(self.source.draw_all(sources))
            found += [
                Replicate(None, reason, (), 1) if reason else Replicate(row)
                for row, reason in zip(refits.values, refits.reasons)
            ]
        return found


def in_goes(start: int, stop: int) -> Iterator[range]:
    """The numbers of the responses that are held at once."""
    yield from (range(a, min(a + DRAWN, stop)) for a in range(start, stop, DRAWN))


def _with_response(design: Design, y: NDArray[np.float64] | None = None) -> Design:
    """The design with the simulated response as one more column."""
    token = f"rbv{len(design.names.value):04d}x"
    token = design.names.value.get(RESPONSE, token)
    names = replace(design.names, value={**design.names.value, RESPONSE: token})
    values = np.zeros(len(design.rows)) if y is None else y
    return replace(design, names=names, columns={**design.columns, token: Column("double", values)})


def estimates_of(snapshot: FitSnapshot) -> pd.Series:
    """Variance components by label, then the fixed effects."""
    natural = theta(snapshot)
    labels = [*natural.names, *snapshot.coef_names]
    return pd.Series(np.concatenate([natural.values, snapshot.beta]), labels, name="estimate")


def bootstrap(
    fit: Fit,
    n: int = 1000,
    *,
    n_jobs: int | None = None,
    seed: int | None = None,
    progress: Progress = True,
    engine: str | None = None,
    witness: int = 0,
) -> Bootstrap:
    """Parametric bootstrap of a fit; see :meth:`rbridge.LmeResults.bootstrap`."""
    chosen = engine_of(engine or fit.engine, n, witness)
    entropy = int(np.random.SeedSequence(seed).entropy)  # type: ignore[arg-type]
    refit: Refit | RefitHere = (
        RefitHere.of(fit, entropy) if chosen == "native" else Refit.of(fit, entropy, engine=chosen)
    )
    run: dict[str, Any] = {"n_jobs": n_jobs, "progress": progress}
    work = partial(_task, refit)
    outcomes, interrupted = collect(work, n, what="replicates", least=refit.at_once, **run)
    seen: list[Replicate] = []
    if witness and not interrupted:
        theirs = partial(_task, Refit.of(fit, entropy))
        seen, interrupted = collect(theirs, witness, what="witnesses", **run)
    return Bootstrap(fit.snapshot, outcomes, n, entropy, interrupted, chosen, seen)


def engine_of(engine: str, n: int, witness: int) -> str:
    """The engine, where it and the witness can be."""
    one_of(engine, ENGINES, "engine", quote=True)
    if n < 1:
        raise SpecError(f"n must be a positive number of replicates, not {n}")
    if witness and engine != "native":
        raise SpecError("witness compares with nlme what engine='native' fits: set that engine")
    if not 0 <= witness <= n:
        raise SpecError(f"witness must be a number of replicates up to n ({n}), not {witness}")
    return engine


def _task(refit: Refit | RefitHere, start: int, stop: int) -> Any:
    return partial(refit.replicates, start, stop)


class Bootstrap(Reported):
    """Refits of responses drawn from the fitted model.

    Attributes
    ----------
    estimates : Series
        Of the fit itself: variance components by label, then the fixed effects.
    replicates : DataFrame
        One row a refit that converged, indexed by its number; columns as ``estimates``.
    failures : Series
        nlme's reason for each refit that failed, indexed by its number.
    retried : int
        How many of the replicates nlme fitted only at a second attempt, with ``opt="optim"``.
    warnings_ : Series
        How often R gave each warning, those of failed refits included.
    n : int
        Replicates asked for; fewer were tried where ``interrupted``.
    seed : int
        Gives the same replicates again, whatever ``n_jobs``.
    interrupted : bool
        Ctrl-C, or the death of a worker process, came before the end.
    engine : {"nlme", "pinned", "native"}
        Who fitted the replicates.
    witness : DataFrame or None
        The replicates that nlme fitted too, by nlme; None where none was asked for.
    """

    def __init__(
        self,
        snapshot: FitSnapshot,
        outcomes: Sequence[Replicate],
        n: int,
        seed: int,
        interrupted: bool = False,
        engine: str = "nlme",
        witness: Sequence[Replicate] = (),
    ) -> None:
        self._snapshot = snapshot
        self.estimates = estimates_of(snapshot)
        self.n, self.seed, self.interrupted, self.engine = n, seed, interrupted, engine
        self.replicates = self._table(outcomes)
        self.witness = self._table(witness) if witness else None
        failed = {i: o.reason for i, o in enumerate(outcomes) if o.values is None}
        self.retried = sum(o.failures > 0 for o in outcomes if not o.reason)
        said = Counter(text for outcome in outcomes for text in outcome.warnings)
        index = pd.Index(list(failed), name="replicate", dtype=int)
        self.failures = pd.Series(list(failed.values()), index, dtype=object, name="reason")
        self.warnings_ = pd.Series(dict(said.most_common()), dtype=int, name="count")

    def _table(self, outcomes: Sequence[Replicate]) -> pd.DataFrame:
        fitted = {i: o.values for i, o in enumerate(outcomes) if o.values is not None}
        values = np.array(list(fitted.values())).reshape(len(fitted), len(self.estimates))
        index = pd.Index(list(fitted), name="replicate", dtype=int)
        return pd.DataFrame(values, index, self.estimates.index)

    @property
    def witness_gap(self) -> float | None:
        """Largest difference between nlme's estimates and those here, in :attr:`se`.

        Of the replicates that both fitted; None without a witness.
        """
        if self.witness is None:
            return None
        both = self.witness.index.intersection(self.replicates.index)
        gaps = (self.witness.loc[both] - self.replicates.loc[both]).abs() / self.se
        return float(gaps.max().max())

    @property
    def cov(self) -> pd.DataFrame:
        """Covariance of the replicates."""
        return self.replicates.cov()

    @property
    def se(self) -> pd.Series:
        """Standard deviation of the replicates."""
        return self.replicates.std().rename("se")

    @property
    def bias(self) -> pd.Series:
        """Mean of the replicates minus the estimate."""
        return (self.replicates.mean() - self.estimates).rename("bias")

    def conf_int(self, level: float = 0.95, *, kind: str = "percentile") -> pd.DataFrame:
        """Bootstrap confidence intervals.

        Parameters
        ----------
        level : float
        kind : {"percentile", "basic", "bca"}

        Returns
        -------
        DataFrame
            Columns ``lower``, ``upper``; ``attrs["method"]`` names the interval.

        Raises
        ------
        SpecError, DataError
            Another kind, a level outside (0, 1), fewer than two replicates.
        """
        left_out = self._jackknife if kind == "bca" else None
        lower, upper = bootstrap_intervals(
            self.replicates, self.estimates, level, kind, left_out  # type: ignore[arg-type]
        )
        frame = pd.DataFrame({"lower": lower, "upper": upper}, index=self.estimates.index)
        frame.attrs["method"] = f"parametric bootstrap, {kind}, {level:.0%}"
        return frame

    @cached_property
    def _jackknife(self) -> NDArray[np.float64]:
        """For BCa: the components without each group; fixed effects have no acceleration."""
        components = jackknife(self._snapshot)
        n_fixed = len(self.estimates) - components.shape[1]
        return np.pad(components, ((0, 0), (0, n_fixed)))

    def to_frame(self, level: float = 0.95, *, kind: str = "percentile") -> pd.DataFrame:
        """Estimates, standard errors, bias and intervals."""
        frame = ResultFrame({"estimate": self.estimates, "se": self.se, "bias": self.bias})
        return frame.join(self.conf_int(level, kind=kind))

    def _report(self) -> Report:
        return self.summary()

    def summary(self, level: float = 0.95, *, kind: str = "percentile") -> Report:
        """The same as a report, with the failures and R's warnings counted."""

        tried = len(self.replicates) + len(self.failures)
        stopped = f" of {self.n} (interrupted)" if self.interrupted else ""
        again = f", {self.retried} fitted at the second attempt (by optim)" if self.retried else ""
        lost = f"{len(self.failures)} failed{again}"
        first = f"{tried}{stopped} replicates, {lost}; seed {self.seed}"
        first += "" if self.engine == "nlme" else f"; engine {self.engine}"
        if self.witness is not None:
            gap = (
                f"{len(self.witness)} of them by nlme too, at most {self.witness_gap:.1g} standard"
            )
            first += f"\n{gap} errors apart"
        parts: list[Any] = [("", first)]
        if len(self.replicates) > 1:
            frame = self.to_frame(level, kind=kind)
            parts.append((f"{kind} intervals, {level:.0%}", frame))
        counted = {"Failures": self.failures.value_counts(), "R's warnings": self.warnings_}
        for heading, texts in counted.items():
            if len(texts):
                parts.append((heading, "\n".join(f"{k} × {text}" for text, k in texts.items())))
        return Report(f"Parametric bootstrap of {self._snapshot.spec['fixed']}", parts)

    def plot(self, level: float = 0.95, *, kind: str = "percentile", figsize: Any = None) -> Figure:
        """How the replicates are spread, with estimates and intervals."""
        from ..show.replicates import bootstrap_distributions

        counts = f"{len(self.replicates)} replicates, {len(self.failures)} failed"
        how = f"parametric bootstrap, {counts}; {kind} intervals, {level:.0%}"
        caption = f"{how}; {in_words(self._snapshot)}"
        ends = self.conf_int(level, kind=kind)
        return bootstrap_distributions(self.replicates, self.estimates, ends, caption, figsize)

    def __repr__(self) -> str:
        return f"<Bootstrap: {len(self.replicates)} replicates, {len(self.failures)} failures>"
