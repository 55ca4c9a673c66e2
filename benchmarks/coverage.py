"""Coverage of the intervals for variance components, by simulation; needs no R.

    python benchmarks/coverage.py [--simulations 400] [--bootstrap 400] [--closed 200000] [--jobs 2]

Each design is simulated, fitted here by REML (nlme's estimates to its tolerance), and every
component gets the intervals of ``fit.intervals(methods=…)``. ``nlme`` is nlme's own interval from
the exact observed information, so without its finite differences. Printed per component and
method: the share of intervals that hold the truth (no interval is a miss), the shares that lie
above and below it, the share of fits without one, and the median width. Where the estimate is
zero, ``nlme``, ``log`` and ``satterthwaite`` count as having none: logarithms of next to nothing
make ends such as 0 and 1e80, which hold every truth and say nothing. Bootstrap intervals for
random intercepts only, where the replicates have a closed form. The profile likelihood is asked
about the truth alone, so it has no width.

For random intercepts everything but BCa has a closed form in two sums of squares, and is counted
over many more data sets (``--closed``; 0 for none). The figures in docs/intervals.md are these.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from rbridge.core import parameters
from rbridge.core.fitting.maximum import maximise
from rbridge.core.information import information
from rbridge.core.intervals.profile import Profiler
from rbridge.core.likelihood import log_likelihood
from rbridge.core.quantities.quantity import component_quantities
from rbridge.core.snapshot import ApVar, ApVarUnavailable, FitSnapshot, PdBlock, RandomLevel
from rbridge.errors import RBridgeError
from rbridge.results import LmeResults

LEVEL = 0.95
Z = 1.959963984540054
METHODS = ["nlme", "wald", "log", "satterthwaite"]
BY_LOGARITHM = ["nlme", "log", "satterthwaite"]
AT_ZERO = 1e-6  # of a variance, beside σ² = 1
BOOTSTRAP = ["bootstrap-percentile", "bootstrap-basic", "bootstrap-bca"]


@dataclass(frozen=True)
class Design:
    """Groups of ``n`` observations at times 0 … n−1, with σ² = 1.

    ``D`` is the covariance of the random intercept (and slope). ``boundary`` says how the truth
    lies to the edge of the range.
    """

    name: str
    m: int
    n: int
    D: np.ndarray
    boundary: str

    def snapshot(self, rng: np.random.Generator) -> FitSnapshot:
        """One simulated data set, at the true parameters."""
        time = np.tile(np.arange(self.n) - (self.n - 1) / 2, self.m)
        X = np.column_stack([np.ones(self.m * self.n), time])
        Z, codes = X[:, : len(self.D)], np.repeat(np.arange(self.m), self.n)
        b = rng.multivariate_normal(np.zeros(len(self.D)), self.D, self.m)
        y = (Z * b[codes]).sum(axis=1) + rng.normal(size=len(X))
        names = ("(Intercept)", "time")[: len(self.D)]
        block = PdBlock("pdLogChol", names, "time")
        labels = tuple(map(str, range(self.m)))
        level = RandomLevel("group", (block,), names, Z, codes, labels, self.D, 0 * b)
        return _plain(y, X, level)


DESIGNS = (
    Design("intercept", 8, 4, np.array([[0.1]]), "near"),
    Design("intercept", 8, 4, np.array([[1.0]]), "far"),
    Design("intercept", 40, 4, np.array([[0.1]]), "near"),
    Design("intercept", 40, 4, np.array([[1.0]]), "far"),
    Design("slope", 12, 5, np.array([[1.0, 0.1], [0.1, 0.1]]), "near"),
    Design("slope", 40, 5, np.array([[1.0, 0.2], [0.2, 0.5]]), "far"),
)


def _plain(y: np.ndarray, X: np.ndarray, level: RandomLevel) -> FitSnapshot:
    p, n = X.shape[1], len(y)
    zero, one = np.zeros(p), np.ones(p)
    return FitSnapshot(
        kind="lme",
        method="REML",
        y=y,
        X=X,
        coef_names=("(Intercept)", "time")[:p],
        beta=zero,
        std_error=one,
        df=one,
        vcov=np.eye(p),
        levels=(level,),
        cor=None,
        var=(),
        sigma=1.0,
        fixed_sigma=False,
        apvar=ApVarUnavailable("not fitted"),
        log_lik=0.0,
        fitted=np.zeros((n, 2)),
        rows=np.arange(n),
    )


def fitted(snapshot: FitSnapshot) -> FitSnapshot:
    """The snapshot at its REML estimates, with the apVar that nlme approximates."""
    theta = maximise(snapshot).theta
    level = snapshot.levels[0]
    D = np.tensordot(theta[:-1], parameters.tau_basis(level)[1], 1)
    at = replace(snapshot, levels=(replace(level, D=D),), sigma=float(np.sqrt(theta[-1])))
    at = replace(at, log_lik=log_likelihood(at))
    return replace(at, apvar=_apvar(at, theta))


def _apvar(snapshot: FitSnapshot, theta: np.ndarray) -> ApVar | ApVarUnavailable:
    with np.errstate(all="ignore"):
        u = parameters.unconstrained_from_natural(snapshot, theta)
        try:
            J = np.linalg.inv(parameters.jacobian(snapshot, u))
            cov = J @ information(snapshot, "observed").inverse() @ J.T
            return ApVar(tuple(f"u{i}" for i in range(len(u))), u, (cov + cov.T) / 2, True)
        except (RBridgeError, np.linalg.LinAlgError):
            return ApVarUnavailable("Non-positive definite approximate variance-covariance")


def replicates(fit: LmeResults, design: Design, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Parametric bootstrap of a random intercept, in closed form: sums of squares are χ².

    Time varies within groups alone, so it costs one degree of freedom there.
    """
    tau, sigma_sq = fit.varcomp
    df_in, df_out = design.m * (design.n - 1) - 1, design.m - 1
    inside = sigma_sq * rng.chisquare(df_in, n)
    between = (sigma_sq + design.n * tau) * rng.chisquare(df_out, n)
    a, b = inside / df_in, between / df_out
    positive = b > a
    pooled = (inside + between) / (df_in + df_out)
    estimates = np.where(positive, (b - a) / design.n, 0.0), np.where(positive, a, pooled)
    return pd.DataFrame(np.column_stack(estimates), columns=fit.varcomp.index)


def one(design: Design, seed: int, bootstrap: int) -> pd.DataFrame:
    """The intervals of one simulated data set."""
    warnings.simplefilter("ignore")  # a start beyond the edge of the model warns
    rng = np.random.default_rng([seed, design.m, design.n, len(design.D)])
    fit = LmeResults(fitted(design.snapshot(rng)))
    methods, table = list(METHODS), None
    if bootstrap:
        methods += BOOTSTRAP
        table = replicates(fit, design, bootstrap, rng)
    frame = fit.intervals(LEVEL, methods=methods, bootstrap=table)
    at_zero = (frame.estimate < AT_ZERO) & frame.method.isin(BY_LOGARITHM)
    frame.loc[at_zero & frame.component.str.contains("var"), ["lower", "upper"]] = np.nan
    return pd.concat([frame, profiled(fit, design)], ignore_index=True)


def profiled(fit: LmeResults, design: Design) -> pd.DataFrame:
    """Rows of the profile likelihood: −∞ to ∞ if it holds the truth, else the side it lies on."""
    profiler, rows = Profiler(fit.snapshot), []
    wanted = component_quantities(fit.snapshot)
    for name, value in truth(design, pd.Index(wanted)).items():
        zeta = profiler.zeta(wanted[name], value)
        lower = value + 1 if zeta < -Z else -np.inf
        upper = value - 1 if zeta > Z else np.inf
        rows.append({"component": name, "method": "profile", "lower": lower, "upper": upper})
    return pd.DataFrame(rows)


def truth(design: Design, index: pd.Index) -> pd.Series:
    """True components by label, correlation included."""
    D = design.D
    values = {"sigma_sq": 1.0, "Tau.group.var((Intercept))": D[0, 0]}
    if len(D) == 2:
        values["Tau.group.cov(time,(Intercept))"] = D[0, 1]
        values["Tau.group.var(time)"] = D[1, 1]
        values["Tau.group.cor(time,(Intercept))"] = D[0, 1] / np.sqrt(D[0, 0] * D[1, 1])
    return pd.Series(values).reindex(index)


def summary(design: Design, frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Coverage, share without an interval and median width, a row a component and method."""
    frame = pd.concat(frames, ignore_index=True)
    true = truth(design, pd.Index(frame.component)).to_numpy()
    frame["covers"] = (frame.lower <= true) & (true <= frame.upper)
    frame["width"] = frame.upper - frame.lower
    frame["above"], frame["below"] = true < frame.lower, frame.upper < true
    frame["none"] = frame.lower.isna()
    keys = ["component", "method"]
    columns = ["covers", "above", "below", "none"]
    groups = frame.groupby(keys, sort=False)
    table = groups[columns].sum() / len(frames)
    table["none"] += 1 - groups.size() / len(frames)  # an undefined correlation has no row
    table["width"] = groups["width"].median().where(table.index.get_level_values(1) != "profile")
    return table.sort_values("component", kind="stable")


# --- random intercepts: two sums of squares are all there is -------------------------------------


@dataclass(frozen=True)
class Sums:
    """Many simulated data sets of one design with a random intercept, at their REML estimates.

    σ² and λ = σ² + nτ² have independent χ² sums of squares; where λ̂ < σ̂² they are pooled and
    τ̂² is zero. Time varies within groups alone and costs a degree of freedom there.
    """

    n: int
    df: tuple[int, int]
    sums: tuple[np.ndarray, np.ndarray]
    sigma_sq: np.ndarray
    lam: np.ndarray

    @classmethod
    def drawn(
        cls, m: int, n: int, sigma_sq: float, tau: float, rng: np.random.Generator, size: int
    ) -> Sums:
        """``size`` data sets of m groups of n."""
        df = m * (n - 1) - 1, m - 1
        within = sigma_sq * rng.chisquare(df[0], size)
        between = (sigma_sq + n * tau) * rng.chisquare(df[1], size)
        a, b, pooled = within / df[0], between / df[1], (within + between) / sum(df)
        return cls(n, df, (within, between), np.where(b > a, a, pooled), np.where(b > a, b, pooled))

    @property
    def tau(self) -> np.ndarray:
        return (self.lam - self.sigma_sq) / self.n

    def log_lik(self, sigma_sq: np.ndarray, lam: np.ndarray) -> np.ndarray:
        """Restricted log-likelihood, up to a constant."""
        (df_in, df_out), (within, between) = self.df, self.sums
        inside = df_in * np.log(sigma_sq) + within / sigma_sq
        return -0.5 * (inside + df_out * np.log(lam) + between / lam)


def closed_form(design: Design, size: int, bootstrap: int) -> pd.DataFrame:
    """Share of intervals that hold the truth, a row a component and a column a method."""
    rng = np.random.default_rng(1)
    true_tau = float(design.D[0, 0])
    data = Sums.drawn(design.m, design.n, 1.0, true_tau, rng, size)
    var_in, var_out = (2 * x**2 / df for x, df in zip((data.sigma_sq, data.lam), data.df))
    components = {
        "variance": (true_tau, data.tau, (var_in + var_out) / design.n**2),
        "sigma_sq": (1.0, data.sigma_sq, var_in),
    }
    table = pd.DataFrame(
        {name: _by_standard_error(*values) for name, values in components.items()}
    ).T
    table["profile"] = _by_profile(data, true_tau)
    if bootstrap:
        few = Sums.drawn(design.m, design.n, 1.0, true_tau, rng, min(size, 20_000))
        found = _by_bootstrap(design, few, true_tau, bootstrap, rng)
        table["percentile"], table["basic"] = np.transpose(found)
    table["zero"] = [np.mean(data.tau == 0), 0.0]
    return table


def _by_standard_error(true: float, x: np.ndarray, var: np.ndarray) -> dict[str, float]:
    """Coverage by the expected information; an estimate of zero has no logarithm: a miss."""
    from scipy import special

    with np.errstate(all="ignore"):
        reach, df = Z * np.sqrt(var), 2 * x**2 / var
        ends = {
            "wald": (x - reach, x + reach),
            "log": (x * np.exp(-reach / x), x * np.exp(reach / x)),
            "satterthwaite": tuple(df * x / special.chdtri(df, p) for p in (0.025, 0.975)),
        }
        return {
            name: float(np.mean((low <= true) & (true <= high) & ((x > 0) | (name == "wald"))))
            for name, (low, high) in ends.items()
        }


def _by_profile(data: Sums, true_tau: float) -> list[float]:
    """2(ℓ_max − ℓ) at the truth against χ², by golden sections over log σ² where λ follows it."""
    top, share = data.log_lik(data.sigma_sq, data.lam), (np.sqrt(5) - 1) / 2

    def held(x: np.ndarray) -> np.ndarray:
        return data.log_lik(np.exp(x), np.exp(x) + data.n * true_tau)

    low, high = np.full(len(top), -4.0), np.full(len(top), 4.0)
    for _ in range(60):
        c, d = high - share * (high - low), low + share * (high - low)
        left = held(c) > held(d)
        low, high = np.where(left, low, c), np.where(left, d, high)
    at_sigma = data.log_lik(np.ones_like(top), np.maximum(data.sums[1] / data.df[1], 1.0))
    return [float(np.mean(2 * (top - held_) <= Z**2)) for held_ in (held(low), at_sigma)]


def _by_bootstrap(
    design: Design, data: Sums, true_tau: float, n: int, rng: np.random.Generator
) -> list[list[float]]:
    """Percentile and basic intervals of τ² and σ² from n replicates each."""
    hits = np.zeros((2, 2))
    for sigma_sq, tau in zip(data.sigma_sq, data.tau):
        drawn = Sums.drawn(design.m, design.n, sigma_sq, tau, rng, n)
        for k, (true, x, values) in enumerate(
            ((true_tau, tau, drawn.tau), (1.0, sigma_sq, drawn.sigma_sq))
        ):
            low, high = np.quantile(values, [0.025, 0.975])
            hits[k] += low <= true <= high, 2 * x - high <= true <= 2 * x - low
    return (hits / len(data.tau)).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=400)
    parser.add_argument("--bootstrap", type=int, default=400, help="replicates; 0 for none")
    parser.add_argument("--designs", type=int, nargs="*", default=range(len(DESIGNS)))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--closed", type=int, default=200_000, help="data sets; 0 for none")
    options = parser.parse_args()
    from joblib import Parallel, delayed

    for k in options.designs:
        design = DESIGNS[k]
        bootstrap = options.bootstrap if len(design.D) == 1 else 0
        seeds = range(options.simulations)
        work = (delayed(one)(design, seed, bootstrap) for seed in seeds)
        frames = Parallel(n_jobs=options.jobs)(work)
        title = f"{design.name}, {design.m} groups of {design.n}, {design.boundary} the boundary"
        print(f"\n{title} ({options.simulations} simulations)")
        if frames:
            print(summary(design, frames).round(3).to_string(), flush=True)
        if len(design.D) == 1 and options.closed:
            print(
                f"in closed form, {options.closed} data sets; zero: share with an estimate of zero"
            )
            table = closed_form(design, options.closed, options.bootstrap)
            print((100 * table).round(1).to_string(), flush=True)


if __name__ == "__main__":
    main()
