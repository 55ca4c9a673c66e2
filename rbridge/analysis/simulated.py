"""Responses drawn from a fit, and the likelihood ratios that they give, nlme's ``simulate``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from ..core.nesting import Boundary, boundary, mixture_p
from ..core.simulate import generator, process
from ..errors import DataError, RWarning, SpecError, warn
from ..fit.components import Fit
from ..many.bootstrap import Replicate, engine_of
from ..many.likelihood_ratio import likelihood_ratios
from ..many.progress import Progress
from ..show.report import Report, Reported
from ..show.result_frame import ResultFrame
from .compare import below_optimum, compare
from .summary import asked

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def simulate(fit: Fit, n: int = 1, seed: int | None = None) -> pd.DataFrame:
    """Responses drawn from the fitted model.

    Parameters
    ----------
    fit : Fit
    n : int
        How many.
    seed : int, optional
        By default a fresh one, kept in ``attrs["seed"]``. Column i is the response of replicate i
        of :meth:`rbridge.LmeResults.bootstrap` and of :func:`rbridge.simulated_lrt` by this seed.

    Returns
    -------
    DataFrame
        Rows of the fit, labelled and ordered as in the data, × n; on the scale of the response (of
        log(y) if that was fitted).

    Notes
    -----
    Xβ̂ + Σ Z b + ε with the fit's corStruct and varFunc, new random effects in every draw.
    """
    _check_count(n)
    entropy = entropy_of(seed)
    source = process(fit.snapshot)
    drawn = [source.draw(generator(entropy, i)) for i in range(n)]
    order = np.argsort(fit.snapshot.rows)
    index = fit.by_row(fit.snapshot.y, "y").index
    columns = pd.RangeIndex(n, name="replicate")
    frame = pd.DataFrame(np.column_stack(drawn)[order], index=index, columns=columns)
    frame.attrs["seed"] = entropy
    return frame


def entropy_of(seed: int | None) -> int:
    """The seed, or a fresh one."""
    return int(np.random.SeedSequence(seed).entropy)  # type: ignore[arg-type]


def _check_count(n: int) -> None:
    if isinstance(n, bool) or n != int(n) or n < 1:
        raise SpecError(f"n must be a positive number of replicates, not {n}")


def simulated_lrt(
    fit0: Fit,
    fit1: Fit,
    n: int = 1000,
    *,
    seed: int | None = None,
    n_jobs: int | None = None,
    progress: Progress = True,
    engine: str | None = None,
    witness: int = 0,
) -> SimulatedLRT:
    """Likelihood-ratio test whose null distribution is simulated, not taken from χ².

    Parameters
    ----------
    fit0, fit1 : LmeResults
        The smaller and the larger model of the same rows, by the same method.
    n : int
        Responses drawn from ``fit0``; either model is fitted to each.
    seed, n_jobs, progress
        As for :meth:`rbridge.LmeResults.bootstrap`.
    engine : {"nlme", "pinned", "native"}, optional
        Who fits; by default as the two fits, nlme where they differ. ``native`` needs no R and
        fits all draws at once where a model has at most one grouping level and no structure within.
    witness : int
        With ``native``: how many draws nlme fits as well, from the first on.

    Returns
    -------
    SimulatedLRT
        After Ctrl-C with the replicates that were done.

    Raises
    ------
    SpecError, DataError
        As :func:`rbridge.compare`; the second model has no more parameters than the first; a
        result from a file, which only ``native`` can fit again.

    References
    ----------
    Pinheiro and Bates (2000), section 2.4.1; Davison and Hinkley (1997), Bootstrap Methods and
    their Application, section 4.2, for p = (1 + #{T* ≥ T}) / (1 + n).
    """
    _check_count(n)
    compare(fit0, fit1)  # refuses what does not compare
    for text in below_optimum(fit0, fit1):
        warn(text, RWarning)
    df = fit1.df_model - fit0.df_model
    if df <= 0:
        raise SpecError("the second fit must have more parameters: simulated_lrt(smaller, larger)")
    own = fit0.engine if fit0.engine == fit1.engine else "nlme"
    chosen, entropy = engine_of(engine or own, n, witness), entropy_of(seed)
    run: dict[str, Any] = {"n_jobs": n_jobs, "progress": progress}
    of = partial(likelihood_ratios, fit0, fit1, entropy=entropy, **run)
    outcomes, interrupted = of(n, engine=chosen, what="replicates")
    seen: Sequence[Replicate] = []
    if witness and not interrupted:
        seen, interrupted = of(witness, engine="nlme", what="witnesses")
    return SimulatedLRT((fit0, fit1), outcomes, n, entropy, interrupted, chosen, seen)


def _ratios(outcomes: Sequence[Replicate]) -> pd.Series:
    """Of the draws that both models could be fitted to, by number."""
    done = {i: float(o.values[0]) for i, o in enumerate(outcomes) if o.values is not None}
    index = pd.Index(list(done), name="replicate", dtype=int)
    return pd.Series(list(done.values()), index, dtype=float, name="L.Ratio")


class SimulatedLRT(Reported):
    """A likelihood ratio beside those of responses drawn under the smaller model.

    Attributes
    ----------
    statistic : float
        2(ℓ₁ − ℓ₀) of the data.
    df : int
        Parameters that the larger model has more.
    replicates : Series
        2(ℓ₁ − ℓ₀) of each draw that both models could be fitted to, by its number.
    failures : Series
        The reason for each of the others.
    n, seed : int
    interrupted : bool
    engine : {"nlme", "pinned", "native"}
        Who fitted the draws.
    witness : Series or None
        The ratios by nlme, of the draws that it fitted too; None where none was asked for.
    """

    def __init__(
        self,
        fits: tuple[Fit, Fit],
        outcomes: Sequence[Replicate],
        n: int,
        seed: int,
        interrupted: bool,
        engine: str = "nlme",
        witness: Sequence[Replicate] = (),
    ) -> None:
        small, large = fits
        self.models = tuple("; ".join([fit.spec.fixed, *asked(fit)]) for fit in fits)
        self.statistic = 2 * (large.llf - small.llf)
        self.df = large.df_model - small.df_model
        self.boundary: Boundary = boundary(small.snapshot, large.snapshot, self.df)
        self.n, self.seed, self.interrupted, self.engine = n, seed, interrupted, engine
        self.replicates = _ratios(outcomes)
        self.witness = _ratios(witness) if witness else None
        failed = {i: o.reason for i, o in enumerate(outcomes) if o.values is None}
        index = pd.Index(list(failed), name="replicate", dtype=int)
        self.failures = pd.Series(list(failed.values()), index, dtype=object, name="reason")

    @property
    def witness_gap(self) -> float | None:
        """Largest difference between nlme's ratios and those here; None without a witness.

        About 1e-6 where nlme finds the maxima of both models; larger where it stops before them.
        """
        if self.witness is None:
            return None
        both = self.witness.index.intersection(self.replicates.index)
        return float((self.witness.loc[both] - self.replicates.loc[both]).abs().max())

    @property
    def p(self) -> float:
        """(1 + draws with a ratio at least as large) / (1 + draws).

        Raises
        ------
        DataError
            There is no draw that both models could be fitted to.
        """
        if self.replicates.empty:
            raise DataError("no draw could be fitted by both models: see .failures")
        # a difference of two maxima is known to about the optimisers' tolerance
        reached = (self.replicates >= self.statistic - 1e-6).sum()
        return float((1 + reached) / (1 + len(self.replicates)))

    @property
    def p_se(self) -> float:
        """Monte Carlo standard error of :attr:`p`."""
        return float(np.sqrt(self.p * (1 - self.p) / (1 + len(self.replicates))))

    def to_frame(self) -> pd.DataFrame:
        """The p-value by simulation, by χ² and, where one is known, by the mixture at zero."""
        ratio = max(self.statistic, 0.0)
        rows = {"simulated": self.p, f"χ²({self.df})": float(special.chdtrc(self.df, ratio))}
        if self.boundary.df:
            rows[self._mixture()] = float(mixture_p(ratio, self.boundary.df))
        return ResultFrame({"L.Ratio": self.statistic, "p": pd.Series(rows)}, index=list(rows))

    def _mixture(self) -> str:
        return " + ".join(f"0.5 χ²({df})" for df in self.boundary.df)

    def plot(self, *, ax: Any = None, figsize: Any = None) -> Figure:
        """Nominal against simulated p-values: on the diagonal a reference distribution holds."""
        from ..show.simulated import p_values_picture

        ratios = np.sort(self.replicates.to_numpy())[::-1]
        nominal = {f"χ²({self.df})": special.chdtrc(self.df, ratios.clip(min=0))}
        if self.boundary.df:
            nominal[self._mixture()] = mixture_p(ratios.clip(min=0), self.boundary.df)
        simulated = np.arange(1, len(ratios) + 1) / (1 + len(ratios))
        return p_values_picture(simulated, nominal, self.p, self._caption(), ax, figsize)

    def _caption(self) -> str:
        lost = f", {len(self.failures)} could not be fitted" if len(self.failures) else ""
        stopped = f" of {self.n} (interrupted)" if self.interrupted else ""
        drawn = f"{len(self.replicates)}{stopped} responses drawn under the smaller model{lost}"
        by = "" if self.engine == "nlme" else f"; engine {self.engine}"
        if self.witness is not None:
            by += f", {len(self.witness)} of them by nlme too, at most {self.witness_gap:.1g} apart"
        return f"{drawn}; seed {self.seed}{by}"

    def _report(self) -> Report:
        sense = f"p = {self.p:.4g} (± {self.p_se:.2g} by simulation): {self._caption()}"
        models = "\n".join(
            f"{name} {model}" for name, model in zip(("smaller:", "larger: "), self.models)
        )
        return Report(
            "Simulated likelihood-ratio test", [("", models), ("", sense), ("", self.to_frame())]
        )

    def __repr__(self) -> str:
        return f"<SimulatedLRT: {self.statistic:.4g}, p = {self.p:.4g}, {self._caption()}>"
