"""ModelSpec + pandas frame → fitted model in R → FitSnapshot."""

from __future__ import annotations

import platform
import re
import warnings
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import pandas as pd

from ..core.snapshot import (
    ApVar,
    ApVarUnavailable,
    CorStruct,
    FitSnapshot,
    PdBlock,
    RandomLevel,
    VarFunc,
)
from ..frame import Column
from ..design import Design, Names, build_design, payload
from ..errors import ConvergenceWarning, FitError, RError, RPackageError, RWarning
from ..spec import ModelSpec
from .locate import INSTALL_NLME
from .session import Answer, session

_NOT_CONVERGED = re.compile(r"converge|iteration limit|maximum number of iterations", re.I)


class ModelHandle:
    """A fitted model that lives in R under a number, until this object is gone."""

    def __init__(self, number: int) -> None:
        self.number = number
        weakref.finalize(self, session().forget, number)


@dataclass(frozen=True)
class Fitted:
    """A model fitted in this process: its snapshot, and what is needed to ask R again."""

    snapshot: FitSnapshot
    handle: ModelHandle
    design: Design


def fit(spec: ModelSpec, data: pd.DataFrame) -> Fitted:
    """Fit a model with nlme.

    Raises
    ------
    DataError, SpecError
        Before R is asked.
    FitError
        nlme's own error, with the columns' names.
    RNotFoundError, InstallationError, RPackageError
    """
    design = build_design(spec, data)
    model = payload(spec, design)
    r = session()
    _require_nlme()
    try:
        answer = r.call("fit", model)
    except RError as error:
        raise _explained(error, spec, model, design.names) from None
    said = tuple(design.names.back(text) for text in answer.warnings)
    converged = not any(_NOT_CONVERGED.search(text) for text in said)
    for text in said:
        category = ConvergenceWarning if _NOT_CONVERGED.search(text) else RWarning
        warnings.warn(text, category, stacklevel=3)
    handle = ModelHandle(int(answer.value["id"][0]))
    about = {"converged": converged, "warnings": said, "spec": spec.to_dict()}
    return Fitted(_snapshot(answer, spec, design, about), handle, design)


def _require_nlme() -> None:
    found = r_versions()
    if not found["nlme"]:
        where = found["libraries"]
        raise RPackageError(f"R's package nlme is not installed in {where}: {INSTALL_NLME}")


def _explained(error: RError, spec: ModelSpec, model: dict[str, Any], names: Names) -> FitError:
    """nlme's error under the user's names, and for a singular design the columns to blame."""
    message = names.back(error.message)
    if re.search("singular", message, re.I):
        try:
            columns = session().call("aliased", model).value
        except RError:
            columns = ()
        if columns:
            listed = ", ".join(names.back(column) for column in columns)
            message += f" — the other fixed effects determine {listed}: leave out what repeats"
    said = tuple(names.back(text) for text in error.warnings)
    return FitError(message, error.call, error.r_class, error.traceback, said)


# --- plain answer → snapshot ------------------------------------------------------------------


def _snapshot(
    answer: Answer, spec: ModelSpec, design: Design, about: Mapping[str, Any]
) -> FitSnapshot:
    got = answer.value["snapshot"]
    back = design.names.back
    arrays = {name: got[name] for name in ("y", "X", "beta", "std_error", "df", "vcov", "fitted")}
    return FitSnapshot(
        kind=spec.kind,
        method=spec.method,
        coef_names=_names(got["coef_names"], back),
        levels=tuple(_level(level, back) for level in got.get("levels", ())),
        cor=_cor(got["cor"], back) if got["cor"] else None,
        var=tuple(_var(part, back) for part in _listed(got["var"])),
        sigma=float(got["sigma"][0]),
        fixed_sigma=bool(got["fixed_sigma"][0]),
        apvar=_apvar(got["apvar"], back),
        log_lik=float(got["log_lik"][0]),
        rows=design.rows,
        n_dropped=design.n_dropped,
        provenance=provenance(),
        **arrays,
        **about,
    )


def _listed(parts: Any) -> list[Any]:
    """The items of an R list, named or not."""
    return list(parts.values()) if isinstance(parts, dict) else list(parts)


def _names(texts: tuple[str, ...], back: Any) -> tuple[str, ...]:
    return tuple(back(text) for text in texts)


def _one(values: Any) -> Any:
    return values[0].item() if isinstance(values, np.ndarray) else values[0]


def _level(level: dict[str, Any], back: Any) -> RandomLevel:
    blocks = tuple(
        PdBlock(_one(b["pd_class"]), _names(b["names"], back), back(_one(b["formula"])))
        for b in _listed(level["blocks"])
    )
    arrays = {name: level[name] for name in ("Z", "codes", "D", "b")}
    return RandomLevel(
        back(_one(level["group"])),
        blocks,
        _names(level["names"], back),
        labels=_names(level["labels"], back),
        **arrays,
    )


def _cor(cor: dict[str, Any], back: Any) -> CorStruct:
    arrays = {name: cor[name] for name in ("values", "codes", "covariate")}
    scalars = {
        name: _one(cor[name])
        for name in ("cor_class", "fixed", "p", "q", "lower", "min_distance", "nugget", "metric")
    }
    return CorStruct(
        names=_names(cor["names"], back), size=int(_one(cor["size"])), **arrays, **scalars
    )


def _var(part: dict[str, Any], back: Any) -> VarFunc:
    arrays = {name: part[name] for name in ("values", "free", "covariate", "codes")}
    return VarFunc(
        _one(part["var_class"]),
        _one(part["tag"]),
        _names(part["names"], back),
        strata=_names(part["strata"], back),
        **arrays,
    )


def _apvar(got: dict[str, Any], back: Any) -> ApVar | ApVarUnavailable:
    if "reason" in got:
        return ApVarUnavailable(_one(got["reason"]))
    return ApVar(_names(got["names"], back), got["pars"], got["cov"], bool(_one(got["natural"])))


# --- provenance -------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def r_versions() -> dict[str, str]:
    """Versions and places of R and of the R packages that rbridge uses."""
    answer = session().call("versions").value
    return {name: ", ".join(values) for name, values in answer.items()}


@lru_cache(maxsize=1)
def provenance() -> dict[str, str]:
    """Versions of everything that took part in a fit."""
    found = r_versions()
    python = {name: _version(name) for name in ("rbridge", "rpy2", "numpy", "pandas")}
    r = {name: found[name] for name in ("R", "nlme", "lmeInfo", "platform", "BLAS")}
    return {"python": platform.python_version(), **python, **r}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


# --- asking R again ---------------------------------------------------------------------------


def new_design_matrix(fitted: Fitted, columns: Mapping[str, Column]) -> dict[str, Any]:
    """The design of new data, built by R with the fit's own bases, levels and contrasts.

    Returns
    -------
    dict
        ``X`` (n, p) and ``Z``, a list of (n, q) for the levels, outermost first.
    """
    plain = {name: vars(col) for name, col in columns.items()}
    answer: dict[str, Any] = session().call("new_design", fitted.handle.number, plain).value
    return answer
