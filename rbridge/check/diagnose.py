"""Where a covariance matrix is not an answer: boundary, identification, gradient, conditioning."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..core.collinearity import collinearity
from ..core.engine.forms import Forms
from ..core.fitting.shortfall import SHORT
from ..core.information import Information, information_from
from ..core.parameters import coefficient_names, tau_basis, theta
from ..core.snapshot import ApVarUnavailable, CorStruct, FitSnapshot, RandomLevel
from ..errors import InformationError
from ..fit.components import Fit
from ..fit.native import STOPPED
from ..show.report import Report, Reported
from .findings import NOTE, OK, WARNING, Finding, lines

ZERO_SHARE = 1e-6  # of the residual variance: a component below it is on the boundary
ONE_CORRELATION = 0.999
ILL_CONDITIONED = 1e8  # of the information, parameters scaled to unit information
COLLINEAR = 3e4  # condition of the design: beyond it, nlme's apVar is off by a per cent and more
LOST = 0.01  # share that rounding may take: beyond it, no digit of lmeInfo's is certain
STUCK = 1e-6  # |φ| at which nlme has not left its starting value 0
CAR1_START = 0.2  # nlme's, for corCAR1
MOVED_FROM = 1e-4  # of φ, less than which is no way from a start
FAR_STEP = 0.01  # standard errors between nlme's estimate and the optimum
MOVED = 1e-3  # of the log-likelihood: how far one more update of fitted(.) may move it
BELOW = "stopped before the optimum"
_PINNED = "centre and scale the covariates, or let engine='pinned' hold nlme at the optimum"
_TIGHTEN = "tighten control={'tolerance': 1e-9, 'msTol': 1e-10} or try {'opt': 'optim'}"
_SINGULAR_OK = (
    "under singular.ok nlme may not leave its start: give a formula without what the other fixed "
    "effects determine"
)
WIDE_PAR = 5.0  # se of an unconstrained parameter that ran away; its value depends on units


@dataclass(frozen=True)
class Diagnosis(Reported):
    """Findings about one fit.

    Attributes
    ----------
    findings : tuple of Finding
    """

    findings: tuple[Finding, ...]

    @property
    def regular(self) -> bool:
        """Nothing found that makes the standard errors doubtful."""
        return not any(finding.level == WARNING for finding in self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def _report(self) -> Report:
        rows = [(f.level, f.code, f.text) for f in self.findings]
        table = pd.DataFrame(rows, columns=["level", "what", "finding"]).set_index("level")
        return Report("Diagnosis", [("", table)])

    def to_text(self) -> str:
        """For a terminal: one line a finding."""
        return lines(self.findings) + "\n"

    __repr__ = to_text


def diagnose(fit: Fit) -> Diagnosis:
    """Look at everything that makes standard errors of variance components doubtful."""
    snapshot, (near, forms) = fit.snapshot, fit.near
    short, edge = list(stopped_short(fit)), list(_boundary(near))
    outside = edge and fit.visible_rise < FAR_STEP**2 / 4  # a step from the edge leads there
    findings = [
        *_convergence(fit),
        *_degrees_of_freedom(snapshot),
        *(short or edge),  # elsewhere than at the optimum, a zero says nothing
        *_within_group_boundary(fit),
        *_collinearity(fit),
        *_identification(forms),
        *(() if short or outside else _gradient(fit)),
        *_moving_weights(fit),
        *_apvar(fit),
    ]
    if not findings:
        text = "inside the parameter space, identified, at the optimum: nothing to report"
        findings = [Finding("regular", OK, None, text)]
    names = coefficient_names(snapshot)
    return Diagnosis(tuple(replace(f, text=_with_names(f.text, names)) for f in findings))


def at_once(fit: Fit) -> tuple[str, ...]:
    """What nobody may read nlme's estimates without: that they are not those of the data."""
    if fit.engine != "nlme" or not fit.converged:  # those have said so themselves
        return ()
    stuck = (f for f in _within_group_boundary(fit) if f.code == "start")
    return tuple(finding.text for finding in (*stopped_short(fit), *stuck))


def stopped_short(fit: Fit) -> Iterator[Finding]:
    """The estimates of the structures lie visibly below the optimum."""
    rise = fit.visible_rise
    if rise > SHORT:
        height = f"the log-likelihood can be {rise:.2g} higher"
        text = f"{_searcher(fit)} {BELOW}, {height}: {_advice(fit)}"
        yield Finding("gradient", WARNING, rise, text)


def _searcher(fit: Fit) -> str:
    return "the search here" if fit.engine == "native" else "nlme"


def _advice(fit: Fit) -> str:
    """What helps the search."""
    if fit.engine == "native":
        return "centre and scale the predictors"
    return _SINGULAR_OK if fit.snapshot.spec.get("control", {}).get("singular.ok") else _PINNED


def _with_names(text: str, names: Mapping[str, str]) -> str:
    """nlme's names of coefficients beside the labels that number them, where these first come."""
    for label, name in names.items():
        text = re.sub(rf"\b{label}\b", lambda _: f"{label} = {name}", text, count=1)
    return text


def _convergence(fit: Fit) -> Iterator[Finding]:
    if not fit.snapshot.converged:
        text = (
            "nlme stopped without convergence: try control={'opt': 'optim'} or more iterations "
            "(maxIter, msMaxIter), or a simpler random part"
        )
        if fit.engine == "native":
            text = STOPPED
        yield Finding("convergence", WARNING, None, text)


def _degrees_of_freedom(snapshot: FitSnapshot) -> Iterator[Finding]:
    without = [name for name, df in zip(snapshot.coef_names, snapshot.df) if df <= 0]
    if without:
        text = (
            f"no degrees of freedom are left for {', '.join(without)}: there are neither p-values "
            "nor intervals; the data are too few for these fixed effects"
        )
        yield Finding("degrees of freedom", WARNING, None, text)


def _boundary(snapshot: FitSnapshot) -> Iterator[Finding]:
    for level in snapshot.levels:
        yield from _zero_variances(snapshot, level)
        yield from _unit_correlations(level)


def _zero_variances(snapshot: FitSnapshot, level: RandomLevel) -> Iterator[Finding]:
    share = np.diag(level.D) * np.mean(level.Z**2, axis=0) / snapshot.sigma**2
    for i in np.flatnonzero(share < ZERO_SHARE):
        name = f"{level.names[i]} | {level.group}"
        text = (
            f"the variance of {name} is zero for all these data tell ({share[i]:.1g} of the "
            "residual variance): leave the term out, or test it with rb.compare, which knows the "
            "boundary; its standard error means nothing"
        )
        yield Finding("boundary", WARNING, float(share[i]), text, _labels(level, i))


def _labels(level: RandomLevel, *effects: int) -> tuple[str, ...]:
    """Labels of the parameters that move D at the given effects (at both, for a pair)."""
    labels, basis = tau_basis(level)
    i, j = effects[0], effects[-1]
    return tuple(label for label, E in zip(labels, basis) if E[i, j])


def _unit_correlations(level: RandomLevel) -> Iterator[Finding]:
    sd = np.sqrt(np.diag(level.D))
    with np.errstate(invalid="ignore", divide="ignore"):
        cor = level.D / np.outer(sd, sd)
    pairs = [(i, j) for j in range(len(sd)) for i in range(j) if abs(cor[i, j]) > ONE_CORRELATION]
    for i, j in pairs:
        text = (
            f"the correlation of {level.names[i]} and {level.names[j]} | {level.group} is "
            f"{cor[i, j]:.4f}: the data do not carry both effects; use pdDiag or drop one"
        )
        yield Finding("boundary", WARNING, float(cor[i, j]), text, _labels(level, i, j))
    scaled = np.nan_to_num(cor, nan=0.0) + np.diag(1 - np.nan_to_num(np.diag(cor), nan=0.0))
    smallest = float(np.linalg.eigvalsh(scaled)[0])
    if not pairs and smallest < 1 - ONE_CORRELATION:
        text = (
            f"the random effects of {level.group} are linearly dependent (smallest eigenvalue of "
            f"their correlation {smallest:.1g}): use a simpler pdMat"
        )
        yield Finding("boundary", WARNING, smallest, text, tau_basis(level)[0])


def _within_group_boundary(fit: Fit) -> Iterator[Finding]:
    snapshot, cor = fit.snapshot, fit.snapshot.cor
    if cor is None or cor.fixed:
        return
    if cor.cor_class == "corCAR1":
        yield from _continuous_time_boundary(snapshot, cor, _start(fit))
        return
    for name, value in zip(cor.names, cor.values):
        bounded = not name.lower().startswith(("range", "theta"))
        ends = (0.0, 1.0) if name == "nugget" else (-1.0, 1.0)
        if name.startswith("Phi") and abs(value) < STUCK:
            text = (
                f"{name} of {cor.cor_class} is 0, where nlme starts, and may be stuck there: give "
                "another start, value=0.3"
            )
            yield Finding("start", WARNING, 0.0, text, _cor_labels(snapshot))
        elif bounded and min(abs(value - end) for end in ends) < 1 - ONE_CORRELATION:
            text = f"{name} of {cor.cor_class} is {value:.4g}, at the end of its range: simplify it"
            yield Finding("boundary", WARNING, float(value), text, _cor_labels(snapshot))


def _start(fit: Fit) -> float:
    """Where nlme's search of corCAR1 begins."""
    given = (fit.snapshot.spec.get("correlation") or {}).get("value")
    return CAR1_START if given is None else float(np.ravel(given)[0])


def _continuous_time_boundary(
    snapshot: FitSnapshot, cor: CorStruct, start: float
) -> Iterator[Finding]:
    """corCAR1: Phi is the correlation at distance 1, whatever the unit; the data have others."""
    order = np.lexsort((cor.covariate[:, 0], cor.codes))
    time, codes = cor.covariate[order, 0], cor.codes[order]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    gaps, inside = np.diff(time), np.diff(codes) == 0
    if not inside.any():
        return
    phi, near = float(cor.values[0]), gaps[inside].min()
    far = (np.maximum.reduceat(time, starts) - np.minimum.reduceat(time, starts)).max()
    if phi**near < 1 - ONE_CORRELATION:
        said = (
            f"the correlation of corCAR1 is {phi**near:.2g} even between the closest rows of a "
            f"group, {near:g} apart: "
        )
        stuck = abs(phi - start) < MOVED_FROM
        if stuck:
            said += f"nlme cannot leave its start there; count time in a unit of {near:g}"
        else:
            said += "leave it out"
        reached = 0.5 ** (1 / near)
        if f"{reached:.4g}" != "1":
            said += f", or give a start that reaches them, value={reached:.4g}"
        code = "start" if stuck else "boundary"
        yield Finding(code, WARNING, float(phi**near), said, _cor_labels(snapshot))
    elif phi**far > ONE_CORRELATION:
        text = (
            f"the correlation of corCAR1 is {phi**far:.4f} even between the farthest rows of a "
            f"group, {far:g} apart: a random intercept says the same"
        )
        yield Finding("boundary", WARNING, float(phi**far), text, _cor_labels(snapshot))


def _cor_labels(snapshot: FitSnapshot) -> tuple[str, ...]:
    return tuple(name for name in theta(snapshot).names if name.startswith("cor_params"))


def _collinearity(fit: Fit) -> Iterator[Finding]:
    """Fixed effects that nearly determine each other."""
    found = collinearity(fit.forms)
    if found.condition < COLLINEAR:
        return
    names = ", ".join(fit.snapshot.coef_names[k] for k in found.columns)
    text = (
        f"the fixed effects {names} are nearly collinear (condition {found.condition:.1g}): nlme's "
        "apVar and lmeInfo lose digits by it; centre the covariates, or leave one out"
    )
    level = WARNING if found.rounding > LOST else NOTE
    yield Finding("collinearity", level, found.condition, text)


def _identification(forms: Forms) -> Iterator[Finding]:
    for kind in ("observed", "expected"):
        found = information_from(forms, kind)  # type: ignore[arg-type]
        try:
            found.inverse()
        except InformationError as error:
            text = f"{kind} information: {error}; fix or drop one of them"
            yield Finding("identification", WARNING, found.condition, text, _guilty(found))
            continue
        if found.condition > ILL_CONDITIONED:
            text = (
                f"the {kind} information is nearly singular (condition {found.condition:.1g}): "
                "these parameters can hardly be told apart"
            )
            yield Finding("conditioning", WARNING, found.condition, text, _guilty(found))


def _guilty(found: Information) -> tuple[str, ...]:
    """Parameters of the direction with the least information."""
    if not np.isfinite(found.matrix).all():
        return tuple(found.names)
    scale = np.sqrt(np.abs(np.diag(found.matrix)))
    scale[scale == 0] = 1.0
    weight = np.abs(np.linalg.eigh(found.matrix / np.outer(scale, scale))[1][:, 0])
    return tuple(found.names[i] for i in np.flatnonzero(weight > 0.1 * weight.max()))


def _gradient(fit: Fit) -> Iterator[Finding]:
    """Newton's step from the estimates, in standard errors: zero at the optimum."""
    forms = fit.forms
    try:
        cov: NDArray[np.float64] = information_from(forms, "observed").inverse()
    except InformationError:
        return
    step = cov @ forms.score
    far = np.abs(step) / np.sqrt(np.diag(cov))
    worst = int(np.argmax(far)) if len(far) else 0
    if len(far) and far[worst] > FAR_STEP:
        move = f"{forms.names[worst]} would move by {far[worst]:.2g} standard errors"
        advice = _advice(fit) if fit.engine == "native" else _TIGHTEN
        text = f"{_searcher(fit)} {BELOW}: {move}; {advice}"
        yield Finding("gradient", WARNING, float(far[worst]), text, (forms.names[worst],))


def weights_move(fit: Fit) -> bool:
    """Whether a variance function depends on the fit's own values, ``fitted(.)``."""
    formulas = (s.formula() for s in fit.spec.structures() if s.kind == "varFunc")
    return any(formula is not None and "." in formula.columns for formula in formulas)


def _moving_weights(fit: Fit) -> Iterator[Finding]:
    """nlme's log-likelihood is of the fitted values before their last update."""
    if not fit.snapshot.var or not weights_move(fit):
        return
    theirs, ours = fit.snapshot.log_lik, fit.forms.log_likelihood
    if fit.snapshot.fixed_sigma or abs(ours - theirs) <= MOVED:
        return
    text = (
        "nlme stopped while the fitted values in the variance function still moved: its "
        f"log-likelihood, AIC and BIC ({theirs:.8g}) are of the values before the last update, "
        f"standard errors and residuals of those after it ({ours:.8g}); try "
        "control={'tolerance': 1e-9, 'maxIter': 200}, other starting values, or a covariate of "
        "the data in place of fitted(.)"
    )
    yield Finding("fitted(.)", WARNING, abs(ours - theirs), text)


def _apvar(fit: Fit) -> Iterator[Finding]:
    """What nlme's own apVar is worth here."""
    snapshot = fit.snapshot
    if not theta(snapshot).names:
        return
    if snapshot.fixed_sigma:
        text = (
            "sigma is fixed: nlme's apVar leaves terms of the likelihood out and is wrong; use "
            "varcomp_vcov('observed'), computed here"
        )
        yield Finding("apVar", WARNING, fit.apvar_error, text)
    apvar = snapshot.apvar
    if isinstance(apvar, ApVarUnavailable):
        text = f"nlme gave none ({apvar.reason}): varcomp_vcov('observed') is computed here"
        yield Finding("apVar", NOTE, None, text)
        return
    se = np.sqrt(np.abs(np.diag(apvar.cov)))
    runaway = [name for name, s in zip(apvar.names, se) if s > WIDE_PAR]
    if runaway:
        text = (
            f"nlme's {', '.join(runaway)} ran away (se {se.max():.3g} on the unconstrained scale): "
            "the model is at its boundary or not identified, though apVar is a matrix"
        )
        yield Finding("apVar", WARNING, float(se.max()), text)
    if not snapshot.fixed_sigma and (doubt := fit.apvar_doubt()):
        yield Finding("apVar", WARNING, fit.apvar_error, doubt)
