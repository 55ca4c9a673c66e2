"""The summary of a fit, as a report."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pandas as pd

from ..check.diagnose import diagnose
from ..core.parameters import coefficient_names
from ..errors import InformationError
from ..fit.components import Fit
from ..fit.vcov import with_names
from ..model.structures import Structure
from ..show.cells import Part
from ..show.report import Report
from .tidy import NLME

FEW = 40  # independent groups; with fewer it matters by which degrees of freedom p is had


def summary(fit: Fit) -> Report:
    """The summary of a fit: criteria, variance components, fixed effects, what R said."""
    snap = fit.snapshot
    groups = ", ".join(f"{level.group} ({len(level.labels)})" for level in snap.levels)
    dropped = f", {snap.n_dropped} dropped for missing values" if snap.n_dropped else ""
    lines = [
        f"{snap.spec.get('fixed', '')}, {snap.method}",
        f"rows: {fit.nobs}{dropped}" + (f"; groups: {groups}" if groups else ""),
        f"AIC {fit.aic:.6g}, BIC {fit.bic:.6g}, log-likelihood {fit.llf:.8g}",
    ]
    lines[1:1] = asked(fit)
    if not fit.converged:
        lines.append("NOT CONVERGED: these are not the estimates of the model")
    fixed = pd.DataFrame(
        {
            "estimate": fit.params,
            "se": fit.bse,
            "df": fit.df_resid,
            "t": fit.tvalues,
            "p": ["" if np.isnan(p) else f"{p:.3g}" for p in fit.pvalues],
        }
    )
    components, heading = varcomp_frame(fit)
    parts: list[tuple[str, Part]] = [
        ("", "\n".join(lines)),
        (heading, components),
        (f"Fixed effects; {NLME}", fixed),
    ]
    if few := _few_groups(fit):
        parts.append(("", few))
    if fit.warnings_:
        parts.append(("R's warnings", "\n".join(fit.warnings_)))
    diagnosis = diagnose(fit)
    if not diagnosis.regular:
        parts.append(("Doubts about the standard errors", str(diagnosis).rstrip()))
    titles = {"lme": "Linear mixed model (nlme::lme)", "gls": "Linear model (nlme::gls)"}
    return Report(titles[snap.kind], parts)


def _few_groups(fit: Fit) -> str:
    """Where nlme's degrees of freedom are a guess that matters."""
    cor = fit.snapshot.cor
    groups = [len(level.labels) for level in fit.snapshot.levels[:1]]
    groups += [int(cor.codes.max()) + 1] if cor is not None and not groups else []
    if not groups or groups[0] >= FEW:
        return ""
    better = "fit.fixed_effects() has Kenward and Roger's"
    if fit.snapshot.method == "ML":
        better = (
            "fit.fixed_effects('satterthwaite') has better ones, Kenward and Roger's are of REML"
        )
    counted = f"{groups[0]} independent group{'' if groups[0] == 1 else 's'}"
    return f"With {counted} these degrees of freedom are rough: {better}"


def varcomp_frame(fit: Fit) -> tuple[pd.DataFrame, str]:
    """Components with their exact standard errors, or without where there are none; a heading."""
    names = coefficient_names(fit.snapshot)
    try:
        found = fit.varcomp_vcov()
        frame = found.to_frame()
        heading = f"Variance components ({found.source}; {frame.attrs['method']})"
    except InformationError as error:
        frame, heading = (
            fit.varcomp.to_frame(),
            f"Variance components (no standard errors: {error})",
        )
    return with_names(frame, names), heading


def asked(fit: Fit) -> list[str]:
    """The model but for its fixed effects: what tells it from another in one line or two."""
    if "kind" not in fit.snapshot.spec:
        return []
    spec, sigma = fit.spec, fit.snapshot.sigma
    random = [f"{said(term)} | {group}" for group, term in spec.random]
    within = {"correlation": spec.correlation, "weights": spec.weights}
    parts = [f"{name}: {said(part)}" for name, part in within.items() if part is not None]
    parts += [f"sigma: fixed at {sigma:g}"] if fit.snapshot.fixed_sigma else []
    return [
        *([f"random: {'; '.join(random)}"] if random else []),
        *(["; ".join(parts)] if parts else []),
    ]


def said(structure: Structure) -> str:
    """A structure in one line, with the arguments that are not left at their defaults."""
    inner = getattr(structure, "blocks", getattr(structure, "parts", ()))
    form = getattr(structure, "form", None)
    given = [
        f"{f.name}={value!r}"
        for f in fields(structure)  # type: ignore[arg-type]
        if f.name not in ("form", "blocks", "parts", "names")
        and not (f.name == "value" and structure.r_class.startswith("pd"))  # where the search began
        and (value := getattr(structure, f.name)) is not None
        and value != f.default
    ]
    if structure.r_class == "pdLogChol" and not given:
        return str(form)
    return f"{structure.r_class}({', '.join([*map(said, inner), *filter(None, [form]), *given])})"
