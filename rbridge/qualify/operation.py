"""Operation: a second method beside the engine, the round trip of a file, R alive in both modes."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import numpy as np
import pandas as pd

from ..check.tolerances import CHECK
from ..core.snapshot import ApVar
from ..errors import RBridgeError
from ..r.session import set_isolation
from ..repeated import load
from ..results import LmeResults
from . import dense
from .fits import FitStore, live
from .proof import OPERATION, Proof, compared, not_run, stated, timed, unchecked

SLOPES, SERIAL, ONE_WAY, RATIO = "orthodont-slopes", "serial", "rail", "girls"
MODELS = {
    SLOPES: ("orthodont, random intercepts and slopes", dense.random_slopes),
    SERIAL: ("fev (Asian patients), AR(1) residuals, missing visits", dense.autoregressive),
}
ROUNDING = "one formula by two ways: only rounding is left"
DIFFERENCES = "the second way is by differences, whose own error is below 1e-8"
NO_R = "--no-r: what needs a running R was left out, as asked for"
MIXEDLM = "statsmodels, MixedLM: another program"

Work = Callable[[FitStore, Proof], Proof]


def operation(store: FitStore, with_r: bool) -> Iterator[Proof]:
    """The second methods, then what needs a running R."""
    for name in MODELS:
        yield from (_tried(store, proof, work) for proof, work in _second_methods(name))
    for proof, work in _others():
        yield _tried(store, proof, work)
    for proof, work in _of_r():
        yield _tried(store, proof, work) if with_r else not_run(proof, NO_R)
    proof = _proof("statsmodels", "standard error of a variance ratio", MIXEDLM, "equal to ours")
    if find_spec("statsmodels") is None:
        yield not_run(proof, "statsmodels is not installed, and rbridge does not need it")
    else:
        yield _tried(store, proof, _mixedlm)


def _proof(group: str, name: str, source: str, expected: str, why: str = ROUNDING) -> Proof:
    return Proof(OPERATION, group, name, source, expected, "", None, why, None)


def _tried(store: FitStore, proof: Proof, work: Work) -> Proof:
    def tried() -> Proof:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return work(store, proof)
        except RBridgeError as error:
            return unchecked(proof, str(error))
        except Exception as error:  # a bug, or another release of statsmodels: it costs this check
            return unchecked(proof, f"{type(error).__name__}: {error}")

    return timed(tried)


def _gap(proof: Proof, size: float, tolerance: float) -> Proof:
    """The proof of two ways that differ by ``size``, which should be nothing."""
    return compared(replace(proof, found=f"gap {size:.0e}"), size, 0.0, tolerance)


# --- second methods ---------------------------------------------------------------------------


def _second_methods(name: str) -> Iterator[tuple[Proof, Work]]:
    group = f"Second methods: {MODELS[name][0]}"
    whole = "dense matrices, the derivatives of V by complex steps"
    yield (
        _proof(group, "log-likelihood", "dense matrices, against nlme's own", "equal"),
        partial(_log_likelihood, name),
    )
    yield (
        _proof(group, "expected information", whole, "equal"),
        partial(_expected, name),
    )
    yield (
        _proof(group, "observed information", f"{whole} and Richardson", "equal", DIFFERENCES),
        partial(_observed, name),
    )


def _log_likelihood(name: str, store: FitStore, proof: Proof) -> Proof:
    fit = store(name)
    theirs = dense.log_likelihood(fit.snapshot, _dense(name, fit)(_theta(fit)))
    why = CHECK["log-likelihood"].why
    size = abs(theirs / fit.llf - 1)
    return _gap(replace(proof, why=why), size, CHECK["log-likelihood"].value)


def _dense(name: str, fit: LmeResults) -> dense.Covariance:
    return MODELS[name][1](fit.snapshot)


def _theta(fit: LmeResults) -> dense.Array:
    return np.asarray(fit.varcomp)


def _expected(name: str, store: FitStore, proof: Proof) -> Proof:
    fit = store(name)
    whole = dense.expected_information(fit.snapshot, _dense(name, fit), _theta(fit))
    return _gap(proof, dense.largest_gap(whole, fit.fisher_info("expected").to_numpy()), 1e-9)


def _observed(name: str, store: FitStore, proof: Proof) -> Proof:
    fit = store(name)
    whole = dense.observed_information(fit.snapshot, _dense(name, fit), _theta(fit))
    return _gap(proof, dense.largest_gap(whole, fit.fisher_info("observed").to_numpy()), 1e-7)


def _others() -> Iterator[tuple[Proof, Work]]:
    group = f"Second methods: {MODELS[SLOPES][0]}"
    yield (
        _proof(group, "delta method", "its Jacobian by Richardson", "equal", DIFFERENCES),
        _delta,
    )
    group, source = (
        "Closed form: rail, a balanced one-way layout",
        "Searle, Casella and McCulloch (1992), Variance Components, chapter 3",
    )
    yield _proof(group, "variance between rails", source, "(MSB - MSW) / n"), _between
    yield _proof(group, "covariance of the variances", source, "the closed form"), _one_way
    group = "A fit in a file"
    name, why = "saved and read back", "the file holds every bit"
    yield _proof(group, name, "the fit before it was saved", "identical", why), _round_trip


def _delta(store: FitStore, proof: Proof) -> Proof:
    fit = store(SLOPES)
    apvar = fit.snapshot.apvar
    if not isinstance(apvar, ApVar) or not apvar.natural:
        return unchecked(proof, "nlme gave no covariance of its natural parameters")
    J = dense.richardson(dense.natural_slopes, apvar.pars)
    ours = fit.varcomp_vcov("delta").cov.to_numpy()
    return _gap(proof, dense.largest_gap(J @ apvar.cov @ J.T, ours), 1e-8)


def _mean_squares(fit: LmeResults) -> tuple[int, int, float, float]:
    """Groups, rows a group, mean squares between and within them."""
    y, codes = fit.snapshot.y, fit.snapshot.levels[0].codes
    groups = pd.Series(y).groupby(codes)
    a, n = groups.ngroups, int(groups.size().iloc[0])
    between = n * float(np.var(groups.mean(), ddof=1))
    return a, n, between, float(groups.var(ddof=1).mean())


def _between(store: FitStore, proof: Proof) -> Proof:
    fit = store(ONE_WAY)
    _, n, between, within = _mean_squares(fit)
    expected, found = (between - within) / n, fit.varcomp.iloc[0]
    why = "1e-5 of the value: nlme stops within some 1e-6 of the optimum"
    told = replace(proof, expected=f"{expected:.6f}", found=f"{found:.6f}", why=why)
    return compared(told, found, expected, 1e-5 * expected)


def _one_way(store: FitStore, proof: Proof) -> Proof:
    """2σ⁴/a(n−1) of σ², 2/n² ((σ²+nτ²)²/(a−1) + σ⁴/a(n−1)) of τ², −1/n of the first between."""
    fit = store(ONE_WAY)
    a, n, *_ = _mean_squares(fit)
    tau, sigma = _theta(fit)
    within = 2 * sigma**2 / (a * (n - 1))
    between = 2 * (sigma + n * tau) ** 2 / (a - 1)
    closed = np.array([[(between + within) / n**2, -within / n], [-within / n, within]])
    return _gap(proof, dense.largest_gap(fit.varcomp_vcov("expected").cov.to_numpy(), closed), 1e-9)


def _round_trip(store: FitStore, proof: Proof) -> Proof:
    fit = store(SLOPES)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "fit.zip")
        fit.save(path)
        again = load(path)
    return _same(proof, fit, again)


def _same(proof: Proof, one: LmeResults, other: LmeResults) -> Proof:
    """Estimates and covariances, to the bit."""
    same = one.llf == other.llf and all(
        np.array_equal(a, b)
        for a, b in (
            (one.params, other.params),
            (one.varcomp, other.varcomp),
            (one.varcomp_vcov("expected").cov, other.varcomp_vcov("expected").cov),
            (one.varcomp_vcov("delta").cov, other.varcomp_vcov("delta").cov),
        )
    )
    return stated(proof, "identical" if same else "differ", same)


# --- what needs R -----------------------------------------------------------------------------


def _of_r() -> Iterator[tuple[Proof, Work]]:
    group, why = "R alive", "one program on one machine: not a bit may differ"
    first = "the same fit by an R in a process of its own"
    yield _proof(group, "R in this process, and R isolated", first, "identical", why), _both_modes
    group, source = "lmeInfo", "lmeInfo: another program"
    for name in MODELS:
        text = f"expected information: {MODELS[name][0]}"
        yield _proof(group, text, source, "equal", CHECK["C"].why), partial(_lmeinfo, name)


def _both_modes(store: FitStore, proof: Proof) -> Proof:
    make, request = live(store.figures), store.figures.fits[SLOPES]
    with set_isolation("process"):
        isolated = make(request)
    with set_isolation("inprocess"):
        return _same(proof, make(request), isolated)


def _lmeinfo(name: str, store: FitStore, proof: Proof) -> Proof:
    fit = store(name)
    theirs, ours = fit.lmeinfo.fisher_info("expected"), fit.fisher_info("expected")
    in_order = theirs.loc[ours.index, ours.index].to_numpy()
    return _gap(proof, dense.largest_gap(in_order, ours.to_numpy()), CHECK["C"].value)


# --- statsmodels ------------------------------------------------------------------------------


def _mixedlm(store: FitStore, proof: Proof) -> Proof:
    """τ²/σ² by MixedLM; what its summary prints beside τ² is another thing, and is said."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    fit = store(RATIO)
    snap = fit.snapshot
    theirs = MixedLM(snap.y, snap.X, groups=snap.levels[0].codes).fit()
    ratio = fit.varcomp_vcov("observed").transform(lambda x: x[0] / x[1])
    found, expected = float(ratio.se.iloc[0]), float(theirs.bse[-1])
    printed, right = float(theirs.bse_re[0]), float(fit.varcomp_vcov("observed").se.iloc[0])
    why = (
        "1e-3 of the value: MixedLM takes second derivatives by differences. Its summary prints "
        f"{printed:.3f} as the standard error of the variance itself, which is {right:.3f}: it "
        "multiplies that of the ratio by the residual deviation (docs/statsmodels-users.md)"
    )
    told = replace(proof, found=f"{found:.5f}", expected=f"{expected:.5f}", why=why)
    return compared(told, found, expected, 1e-3 * expected)
