"""The summary of a fit, as a report."""

from __future__ import annotations

import pandas as pd

from ..check.diagnose import diagnose
from ..core.parameters import coefficient_names
from ..errors import InformationError
from ..fit.components import Fit
from ..show.report import Part, Report


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
    if not fit.converged:
        lines.append("NOT CONVERGED: these are not the estimates of the model")
    fixed = pd.DataFrame(
        {
            "estimate": fit.params,
            "se": fit.bse,
            "df": fit.df_resid,
            "t": fit.tvalues,
            "p": [f"{p:.3g}" for p in fit.pvalues],
        }
    )
    components, heading = varcomp_frame(fit)
    parts: list[tuple[str, Part]] = [
        ("", "\n".join(lines)),
        (heading, components),
        ("Fixed effects", fixed),
    ]
    if fit.warnings_:
        parts.append(("R's warnings", "\n".join(fit.warnings_)))
    diagnosis = diagnose(fit)
    if not diagnosis.regular:
        parts.append(("Doubts about the standard errors", str(diagnosis).rstrip()))
    titles = {"lme": "Linear mixed model (nlme::lme)", "gls": "Linear model (nlme::gls)"}
    return Report(titles[snap.kind], parts)


def varcomp_frame(fit: Fit) -> tuple[pd.DataFrame, str]:
    """Components with their exact standard errors, or without where there are none; a heading."""
    names = coefficient_names(fit.snapshot)
    try:
        frame = fit.varcomp_vcov("observed").to_frame()
        heading = f"Variance components (observed information; {frame.attrs['method']})"
    except InformationError:
        frame, heading = fit.varcomp.to_frame(), "Variance components"
    frame.index = [
        f"{label} = {names[label]}" if label in names else label for label in frame.index
    ]
    return frame, heading
