"""Every kind of confidence interval for the variance components, side by side."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ..core.arrays import Array
from ..core.intervals import nlme as core_intervals
from ..core.intervals.resampling import bootstrap_intervals, jackknife
from ..core.intervals.satterthwaite import satterthwaite
from ..core.parameters import block_labels, is_natural, theta
from ..core.quantities.quantity import Quantity, component_quantities
from ..core.snapshot import FitSnapshot, PdBlock
from ..core.unconstrained import UNSTRUCTURED
from ..errors import DataError, RBridgeError, RWarning, SpecError, warn
from ..fit.components import Fit
from ..fit.vcov import METHODS as VCOV_METHODS
from ..fit.vcov import SOURCES, VarcompVcov
from ..many.profiles import profiles
from ..many.progress import Progress
from ..options import check_share, did_you_mean, one_of
from ..show.result_frame import ResultFrame
from .derive import derived, values

Ends = tuple[float, float, str]  # lower, upper, note
BY_LOGARITHM = ("nlme", "log", "satterthwaite")
WIDEST = 1e12  # of a variance, upper by lower end: beyond it an interval says nothing
NOTHING = "the estimate is zero for all these data tell: an interval by logarithms says nothing"
BY_VCOV = ("wald", "log", "satterthwaite")  # the methods that take standard errors


@dataclass(frozen=True)
class _Request:
    """What the methods work from."""

    fit: Fit
    components: Mapping[str, Quantity]
    level: float
    vcov: str
    bootstrap: Any
    n_jobs: int | None
    progress: Progress

    @cached_property
    def derived(self) -> VarcompVcov:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RWarning)  # the note says the same
            return derived(self.fit, self.components, self.vcov)

    def doubt(self, method: str) -> str:
        """Why no interval by this method can be trusted; empty where nothing is known."""
        by_apvar = method == "nlme" or (method in BY_VCOV and self.vcov == "delta")
        below = self.fit.below_maximum()
        told = f"the fit stands {below}" if below else ""
        return "; ".join(filter(None, (told, self.fit.apvar_doubt() if by_apvar else "")))

    @cached_property
    def replicates(self) -> Array:
        """(B, k) components of each bootstrap replicate."""
        return values(self.fit, self.components, _replicates(self))


def interval_table(
    fit: Fit,
    methods: Sequence[str],
    level: float = 0.95,
    *,
    vcov: str = "expected",
    bootstrap: Any = None,
    n_jobs: int | None = None,
    progress: Progress = True,
) -> pd.DataFrame:
    """Confidence intervals by several methods, one row a component and method.

    Parameters
    ----------
    fit : Fit
    methods : sequence of str
        ``nlme``: nlme's own, a standard deviation's squared. ``wald``: estimate ± z·se. ``log``:
        the same for log variances, Fisher's z of correlations, logit of proportions.
        ``satterthwaite``: χ², for variances. ``profile``: profile likelihood.
        ``bootstrap-percentile``, ``bootstrap-basic``, ``bootstrap-bca``.
    level : float
    vcov : {"expected", "observed", "average", "delta"}
        Standard errors of ``wald``, ``log`` and ``satterthwaite``.
    bootstrap : object with ``.replicates``, or DataFrame, optional
        ``fit.bootstrap(n)``; a column a component of ``fit.varcomp``.
    n_jobs, progress
        Of ``profile``, which takes longest: as for :meth:`rbridge.LmeResults.bootstrap`.

    Returns
    -------
    DataFrame
        ``component``, ``method``, ``lower``, ``estimate``, ``upper``, ``level``, ``note``. A
        method that does not treat a component has no row; one that fails has empty ends and the
        reason in ``note``; so do those that are made of an nlme's apVar that is wrong.
        ``attrs["method"]`` says by which covariance the standard errors are.

    Raises
    ------
    SpecError
        Unknown method, bootstrap intervals without a bootstrap, a level outside (0, 1).
    """
    if isinstance(methods, str):
        methods = [methods]
    for name in methods:
        if name not in METHODS:
            hint = did_you_mean(str(name), METHODS)
            raise SpecError(f"methods has no {name!r}{hint} (known: {', '.join(METHODS)})")
    check_share(level)
    one_of(vcov, VCOV_METHODS, "vcov")
    components, estimates = _components(fit)
    request = _Request(fit, components, level, vcov, bootstrap, n_jobs, progress)
    rows = [row for name in methods for row in _rows(name, request, estimates)]
    columns = ["component", "method", "lower", "estimate", "upper", "level", "note"]
    order = {name: k for k, name in enumerate(components)}
    numbers = {"lower": float, "estimate": float, "upper": float, "level": float}
    frame = ResultFrame(rows, columns=columns).astype(numbers)
    frame = frame.sort_values(
        "component", key=lambda c: c.map(order), kind="stable", ignore_index=True
    )
    by = [name for name in methods if name in BY_VCOV]
    what = f"; {', '.join(by)}: standard errors by {SOURCES[vcov]}" if by else ""
    frame.attrs["method"] = f"{level:.0%} intervals{what}"
    return frame


def _components(fit: Fit) -> tuple[dict[str, Quantity], dict[str, float]]:
    """θ and the correlations that are defined at the estimates."""
    found = component_quantities(fit.snapshot)
    here = dict(zip(found, values(fit, found)))
    inside = {n: q for n, q in found.items() if q.kind != "correlation" or abs(here[n]) < 1}
    return inside, {name: float(here[name]) for name in inside}


def _rows(method: str, request: _Request, estimates: Mapping[str, float]) -> Iterator[list[Any]]:
    try:
        ends = METHODS[method](request)
    except SpecError:
        raise
    except RBridgeError as error:
        ends = {name: (np.nan, np.nan, str(error)) for name in estimates}
    doubt = request.doubt(method)
    for name, (lower, upper, note) in ends.items():
        by_log = method in BY_LOGARITHM and request.components[name].kind == "variance"
        if by_log and not note and not upper < WIDEST * lower:  # also where there are no ends
            note = NOTHING
        note = "; ".join(filter(None, (note, doubt if np.isfinite(lower) else "")))
        yield [name, method, lower, estimates[name], upper, request.level, note]


def nlme_intervals(fit: Fit, level: float = 0.95, which: str = "var-cov") -> pd.DataFrame:
    """nlme's ``intervals(fit, level, which)``, as :meth:`rbridge.LmeResults.intervals` has it."""
    one_of(which, ("var-cov", "fixed", "all"), "which", quote=True)
    frames = [_fixed_intervals(fit, level)] if which != "var-cov" else []
    if which != "fixed":
        if doubt := fit.apvar_doubt():
            warn(doubt, RWarning)
        rows = core_intervals.intervals(fit.snapshot, level)
        ends = {"lower": rows.lower, "est.": rows.est, "upper": rows.upper}
        frames.append(pd.DataFrame(ends, index=_two_names(rows.part, rows.name)))
    frame = ResultFrame(pd.concat(frames))
    frame.attrs["method"] = f"nlme's intervals, {level:.0%}"
    return frame


def _fixed_intervals(fit: Fit, level: float) -> pd.DataFrame:
    frame = fit.t_interval(np.sqrt(np.diag(fit.snapshot.vcov)), level)
    frame.insert(1, "est.", fit.params)
    frame.index = _two_names(["fixed"] * len(frame), frame.index)
    return frame


def _two_names(part: Any, name: Any) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([list(part), list(name)], names=["part", "name"])


def forest(
    fit: Fit,
    methods: Sequence[str] | None,
    level: float,
    bootstrap: Any = None,
    **profiling: Any,
) -> pd.DataFrame:
    """What the forest of the components shows: a row for each component and each method.

    Parameters
    ----------
    fit : Fit
    methods : sequence of str, optional
        Wald intervals by the standard errors ``delta``, ``expected``, ``average``, ``observed``,
        and those of :func:`interval_table`. By default all that are quick, and with
        ``bootstrap`` its too; ``profile``, which can take minutes, is asked for by name.
    level : float
    bootstrap : Bootstrap, optional
    **profiling
        ``n_jobs``, ``progress``, as for :func:`interval_table`.

    Returns
    -------
    DataFrame
        ``component``, ``method``, ``lower``, ``estimate``, ``upper``, ``note``.

    Raises
    ------
    SpecError
        The model has no variance components.
    """
    if not len(fit.varcomp):
        raise SpecError("the model has no variance components: there is nothing to show")
    drawn = ("percentile", "bca") if bootstrap is not None else ()
    default = (*VCOV_METHODS, "log", "nlme", *(f"bootstrap-{kind}" for kind in drawn))
    chosen = list(methods or default)
    other = [method for method in chosen if method not in VCOV_METHODS]
    table = None
    if other:
        table = interval_table(fit, other, level, bootstrap=bootstrap, **profiling)
    ends = {m: _wald_ends(fit, m, level) if m in VCOV_METHODS else _found(table, m) for m in chosen}
    none = (np.nan, np.nan, "not for this component")
    rows = [
        [name, f"Wald, {m}" if m in VCOV_METHODS else m, estimate, *ends[m].get(name, none)]
        for name, estimate in fit.varcomp.items()
        for m in chosen
    ]
    return pd.DataFrame(rows, columns=["component", "method", "estimate", "lower", "upper", "note"])


def _wald_ends(fit: Fit, method: str, level: float) -> dict[str, Ends]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RWarning)  # the note says the same
            ends = fit.varcomp_vcov(method).conf_int(level)
    except RBridgeError as error:
        return {name: (np.nan, np.nan, str(error)) for name in fit.varcomp.index}
    doubt = fit.apvar_doubt() if method == "delta" else ""
    return {name: (lower, upper, doubt) for name, lower, upper in ends.itertuples()}


def _found(table: pd.DataFrame, method: str) -> dict[str, Ends]:
    rows = table[table.method == method]
    return dict(zip(rows.component, zip(rows.lower, rows.upper, rows.note)))


# --- one function a method: component to its ends ----------------------------------------------


def _nlme(request: _Request) -> dict[str, Ends]:
    snapshot = request.fit.snapshot
    rows = core_intervals.intervals(snapshot, request.level)
    found = {}
    for (label, power), lower, upper in zip(_nlme_labels(snapshot), rows.lower, rows.upper):
        if label in request.components:
            found[label] = (float(lower**power), float(upper**power), "")
    return found


def _nlme_labels(snapshot: FitSnapshot) -> Iterator[tuple[str, int]]:
    """θ's label of each row of nlme's intervals; 2 where nlme has the square root."""
    for level in snapshot.levels:
        for block in level.blocks:
            for label, power in _block_rows(block, is_natural(snapshot)):
                yield f"Tau.{level.group}.{label}", power
    natural = theta(snapshot).names
    yield from ((name, 1) for name in natural if name.startswith(("cor_params", "var_params")))
    yield "sigma_sq", 2


def _block_rows(block: PdBlock, natural: bool) -> Iterator[tuple[str, int]]:
    labels, names = block_labels(block), block.names
    if block.pd_class in UNSTRUCTURED and not natural:
        yield from ((label, 1) for label in labels)
        return
    yield from ((label, 2) for label in labels if label.startswith("var("))
    if block.pd_class == "pdCompSymm":
        yield f"cor({block.formula})", 1
    elif block.pd_class not in ("pdDiag", "pdIdent"):
        pairs = ((i, j) for i in range(len(names)) for j in range(i + 1, len(names)))
        yield from ((f"cor({names[j]},{names[i]})", 1) for i, j in pairs)


def _wald(request: _Request) -> dict[str, Ends]:
    ends = request.derived.conf_int(request.level)
    return {name: (lower, upper, "") for name, lower, upper in ends.itertuples()}


def _log(request: _Request) -> dict[str, Ends]:
    result = request.derived
    found = {}
    for name, kind in zip(result.estimates.index, result.kinds):
        if kind in ("covariance", "coefficient"):  # no bounds, so no such scale
            continue
        x, cov = result.estimates[[name]], result.cov.loc[[name], [name]]
        try:
            ends = core_intervals.wald(x, cov, request.level, scale="log", kinds=[kind])
            found[name] = (float(ends[0][0]), float(ends[1][0]), "")
        except DataError:
            found[name] = (np.nan, np.nan, "the estimate is on its bound")
    return found


def _satterthwaite(request: _Request) -> dict[str, Ends]:
    result = request.derived
    names = [name for name, q in request.components.items() if q.kind == "variance"]
    x, se = result.estimates[names], result.se[names]
    ends = zip(names, *satterthwaite(x, se**2, request.level))
    return {name: (float(lower), float(upper), "") for name, lower, upper in ends}


def _profile(request: _Request) -> dict[str, Ends]:
    wanted, run = request.components, (request.n_jobs, request.progress)
    none: Ends = (np.nan, np.nan, "interrupted before it was done")
    ends = dict.fromkeys(wanted, none)
    for name, curve in profiles(request.fit.snapshot, wanted, request.level, *run).items():
        if isinstance(curve, RBridgeError):
            ends[name] = (np.nan, np.nan, str(curve))
        else:
            ends[name] = (curve.lower, curve.upper, curve.note)
    return ends


def _bootstrap(kind: str) -> Callable[[_Request], dict[str, Ends]]:
    def ends(request: _Request) -> dict[str, Ends]:
        fit, wanted, replicates = request.fit, request.components, request.replicates
        left_out = values(fit, wanted, jackknife(fit.snapshot)) if kind == "bca" else None
        lower, upper = bootstrap_intervals(
            replicates, values(fit, wanted), request.level, kind, left_out  # type: ignore[arg-type]
        )
        failed = len(replicates) - np.isfinite(replicates).sum(axis=0)
        notes = [f"{k} of {len(replicates)} replicates left out" if k else "" for k in failed]
        one_side = "none: every replicate lies on one side of the estimate"
        notes = [one_side if np.isnan(a) else note for a, note in zip(lower, notes)]
        return {n: (float(a), float(b), note) for n, a, b, note in zip(wanted, lower, upper, notes)}

    return ends


def _replicates(request: _Request) -> Array:
    """(B, r) replicates in the order of θ."""
    if request.bootstrap is None:
        raise SpecError("bootstrap intervals need bootstrap=fit.bootstrap(n)")
    frame = getattr(request.bootstrap, "replicates", request.bootstrap)
    names = list(theta(request.fit.snapshot).names)
    missing = [name for name in names if name not in frame]
    if missing:
        raise SpecError(f"the replicates have no column {missing[0]!r}")
    return np.asarray(frame[names], dtype=float)


METHODS: dict[str, Callable[[_Request], dict[str, Ends]]] = {
    "nlme": _nlme,
    "wald": _wald,
    "log": _log,
    "satterthwaite": _satterthwaite,
    "profile": _profile,
    **{f"bootstrap-{kind}": _bootstrap(kind) for kind in ("percentile", "basic", "bca")},
}
