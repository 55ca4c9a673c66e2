"""Who finds the optimum: nlme, nlme held at the optimum found here, or the search here alone."""

from __future__ import annotations

from functools import partial

import pandas as pd

from ..core.snapshot import FitSnapshot
from ..frame.design import Design
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
    if engine == "nlme":
        return nlme.fit(spec, data)
    prepared, design = prepare(spec, data)
    if engine == "pinned":
        return fit_held(spec, prepared, design)
    snapshot = fit_here(spec, prepared, design)
    return Fitted(snapshot, LateHandle(partial(_held, spec, snapshot, design)), design)


def _held(spec: ModelSpec, snapshot: FitSnapshot, design: Design) -> nlme.ModelHandle:
    return hold(spec, snapshot, design).handle
