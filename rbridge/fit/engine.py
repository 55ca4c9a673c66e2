"""Who finds the optimum: nlme, nlme held at the optimum found here, or the search here alone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pandas as pd

from ..core.snapshot import FitSnapshot
from ..errors import RWarning, warn
from ..frame.design import Design, build_design
from ..frame.texts import doubts
from ..model.spec import ModelSpec
from ..options import ENGINES, one_of
from ..r import nlme
from ..r.nlme import Fitted, LateHandle
from ..r.prepare import prepare
from .native import fit_here
from .pinned import fit_held, hold


def fit(spec: ModelSpec, data: pd.DataFrame | Design, engine: str = "nlme") -> Fitted:
    """Fit a model by one of the engines.

    Parameters
    ----------
    spec : ModelSpec
    data : DataFrame or Design
    engine : {"nlme", "pinned", "native"}
        ``nlme``: R's own search. ``pinned``: nlme held at the optimum found here, its own search
        where that does not hold. ``native``: no fit in R; what needs one later asks for a pinned
        one.

    Raises
    ------
    SpecError
        Another engine; and as :func:`rbridge.r.nlme.fit`.
    """
    one_of(engine, ENGINES, "engine", quote=True)
    design = data if isinstance(data, Design) else build_design(spec, data)
    told = () if isinstance(data, Design) else tuple(doubts(spec, data))
    for text in told:
        warn(text, RWarning)
    if engine == "nlme":
        return _noted(nlme.fit(spec, design), told)
    prepared, _ = prepare(spec, design)
    if engine == "pinned":
        return _noted(fit_held(spec, prepared, design), told)
    snapshot = fit_here(spec, prepared, design)
    handle = LateHandle(partial(_held, spec, snapshot, design))
    return _noted(Fitted(snapshot, handle, design), told)


def _noted(fitted: Fitted, told: tuple[str, ...]) -> Fitted:
    """The fit with what was said of its data among its warnings."""
    if not told:
        return fitted
    said = (*told, *fitted.snapshot.warnings)
    return replace(fitted, snapshot=replace(fitted.snapshot, warnings=said))


def _held(spec: ModelSpec, snapshot: FitSnapshot, design: Design) -> nlme.ModelHandle:
    return hold(spec, snapshot, design).handle
