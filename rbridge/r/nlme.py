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
from ..frame.columns import Column
from ..frame.design import Design, build_design
from ..errors import ConvergenceWarning, DataError, FitError, RError, RPackageError, RWarning
from ..frame.names import Names
from .payload import payload
from ..model.spec import ModelSpec
from .locate import INSTALL_NLME, MINIMUM_R, at_least
from .embedded import Answer, RSession, session


_NOT_CONVERGED = re.compile(r"converge|iteration limit|maximum number of iterations", re.I)


class ModelHandle:
    """A fitted model that lives in R under a number, until this object is gone.

    When the worker process that held it has died, it is fitted again in the next one.
    """

    def __init__(self, r: RSession, number: int, model: Mapping[str, Any]) -> None:
        self.r, self._model = r, model
        self._hold(number)

    def _hold(self, number: int) -> None:
        self._number, self._generation = number, self.r.generation
        weakref.finalize(self, self.r.forget, number, self._generation)

    @property
    def number(self) -> int:
        """The model's number in the R that now runs."""
        if self._generation != self.r.generation:
            self._hold(int(self.r.call("fit", self._model).value["id"][0]))
        return self._number

    def ask(self, name: str, *args: Any) -> Any:
        """The value that a function of bridge.R gives for this model."""
        with self.r.steady:
            return self.r.call(name, self.number, *args).value


@dataclass(frozen=True)
class Fitted:
    """A model fitted in this process: its snapshot, and what is needed to ask R again."""

    snapshot: FitSnapshot
    handle: ModelHandle
    design: Design


def fit(spec: ModelSpec, data: pd.DataFrame | Design) -> Fitted:
    """Fit a model with nlme; a Design is data that need no conversion any more.

    Raises
    ------
    DataError, SpecError
        Before R is asked, or before it fits.
    FitError
        nlme's own error, with the columns' names.
    RNotFoundError, InstallationError, RPackageError
    SessionError
        The worker process of ``rb.set_isolation("process")`` died or took too long.
    """
    design = data if isinstance(data, Design) else build_design(spec, data)
    model = payload(spec, design)
    r = session()
    require(r, "nlme", INSTALL_NLME)
    with r.steady:
        handle, answer = _fit(r, model, design)
    back = design.names.back
    for text in answer.warnings:
        category = ConvergenceWarning if _NOT_CONVERGED.search(text) else RWarning
        warnings.warn(back(text), category, stacklevel=4)
    about = {
        "converged": not any(map(_NOT_CONVERGED.search, answer.warnings)),
        "warnings": tuple(map(back, answer.warnings)),
        "spec": spec.to_dict(),
        "provenance": provenance(r),
    }
    return Fitted(_snapshot(answer, spec, design, about), handle, design)


def _fit(r: RSession, model: dict[str, Any], design: Design) -> tuple[ModelHandle, Answer]:
    try:
        answer = r.call("fit", model)
    except RError as error:
        raise _explained(r, error, model, design) from None
    return ModelHandle(r, int(answer.value["id"][0]), model), answer


def require(r: RSession, package: str, mend: str) -> None:
    """Raise RPackageError where an R package is missing, broken or too old."""
    found = r_versions(r)
    version, where = found[package], found["libraries"]
    if not version:
        why = found[f"{package} error"]
        raise RPackageError(f"R's package {package} cannot be loaded from {where} ({why}): {mend}")
    if not at_least(version, MINIMUM_R[package]):
        wanted = f"{MINIMUM_R[package]} or newer is needed"
        raise RPackageError(f"R's package {package} is {version}, {wanted}: {mend}")


def _explained(
    r: RSession, error: RError, model: dict[str, Any], design: Design
) -> FitError | DataError:
    """nlme's error under the user's names, and the columns to blame where they can be told."""
    back = design.names.back
    if "rbridge_data" in error.r_class:
        return DataError(back(error.message))
    message = back(error.message)
    if re.search("singular", error.message, re.I):
        columns = _aliased(r, model)
        if columns:
            listed = ", ".join(map(back, columns))
            message += f" — the other fixed effects determine {listed}: leave out what repeats"
    if error.message.startswith("contrasts can be applied only"):
        alone = [name for name, token in design.names.value.items() if _one_value(design, token)]
        message += f" — columns with a single value: {', '.join(map(repr, alone))}"
    if _NOT_CONVERGED.search(message):
        message += (
            " — try control={'opt': 'optim'}, more iterations (maxIter, msMaxIter), predictors "
            "that are centred and scaled, or a simpler random part"
        )
    said = tuple(map(back, error.warnings))
    return FitError(message, error.call, error.r_class, error.traceback, said)


def _aliased(r: RSession, model: dict[str, Any]) -> tuple[str, ...]:
    try:
        columns: tuple[str, ...] = r.call("aliased", model).value
    except RError:
        return ()
    return columns


def _one_value(design: Design, token: str) -> bool:
    values = design.columns[token].values
    return bool((values == values[0]).all())


# --- plain answer → snapshot ------------------------------------------------------------------


def _snapshot(
    answer: Answer, spec: ModelSpec, design: Design, about: Mapping[str, Any]
) -> FitSnapshot:
    got = answer.value["snapshot"]
    names = design.names
    arrays = {name: got[name] for name in ("y", "X", "beta", "std_error", "df", "vcov", "fitted")}
    return FitSnapshot(
        kind=spec.kind,
        method=spec.method,
        coef_names=names.back_all(got["coef_names"]),
        levels=tuple(_level(level, names) for level in got.get("levels", ())),
        cor=_cor(got["cor"], names) if got["cor"] else None,
        var=tuple(_var(part, names) for part in _listed(got["var"])),
        sigma=float(got["sigma"][0]),
        fixed_sigma=bool(got["fixed_sigma"][0]),
        apvar=_apvar(got["apvar"], names),
        log_lik=float(got["log_lik"][0]),
        rows=design.rows,
        n_dropped=design.n_dropped,
        **arrays,
        **about,
    )


def _listed(parts: Any) -> list[Any]:
    """The items of an R list, named or not."""
    return list(parts.values()) if isinstance(parts, dict) else list(parts)


def _one(values: Any) -> Any:
    return values[0].item() if isinstance(values, np.ndarray) else values[0]


def _level(level: dict[str, Any], names: Names) -> RandomLevel:
    blocks = tuple(
        PdBlock(_one(b["pd_class"]), names.back_all(b["names"]), names.back(_one(b["formula"])))
        for b in _listed(level["blocks"])
    )
    arrays = {name: level[name] for name in ("Z", "codes", "D", "b")}
    return RandomLevel(
        names.back(_one(level["group"])),
        blocks,
        names.back_all(level["names"]),
        labels=names.back_all(level["labels"]),
        **arrays,
    )


def _cor(cor: dict[str, Any], names: Names) -> CorStruct:
    arrays = {name: cor[name] for name in ("values", "codes", "covariate")}
    scalars = {
        name: _one(cor[name])
        for name in ("cor_class", "fixed", "p", "q", "lower", "min_distance", "nugget", "metric")
    }
    return CorStruct(
        names=names.back_all(cor["names"]), size=int(_one(cor["size"])), **arrays, **scalars
    )


def _var(part: dict[str, Any], names: Names) -> VarFunc:
    arrays = {name: part[name] for name in ("values", "free", "covariate", "codes")}
    return VarFunc(
        _one(part["var_class"]),
        _one(part["tag"]),
        names.back_all(part["names"]),
        strata=names.back_all(part["strata"]),
        **arrays,
    )


def _apvar(got: dict[str, Any], names: Names) -> ApVar | ApVarUnavailable:
    if "reason" in got:
        return ApVarUnavailable(_one(got["reason"]))
    return ApVar(names.back_all(got["names"]), got["pars"], got["cov"], bool(_one(got["natural"])))


# --- provenance -------------------------------------------------------------------------------


_versions: weakref.WeakKeyDictionary[RSession, dict[str, str]] = weakref.WeakKeyDictionary()


def r_versions(r: RSession | None = None) -> dict[str, str]:
    """Versions and places of R and of the R packages that rbridge uses; asked once."""
    r = r or session()
    if r not in _versions:
        answer = r.call("versions").value
        _versions[r] = {name: ", ".join(values) for name, values in answer.items()}
    return _versions[r]


def provenance(r: RSession) -> dict[str, str]:
    """Versions of everything that took part in a fit."""
    found = r_versions(r)
    names = ("R", "nlme", "lmeInfo", "platform", "BLAS")
    return {**_python_versions(), **{name: found[name] for name in names}}


@lru_cache(maxsize=1)
def _python_versions() -> dict[str, str]:
    python = {name: _version(name) for name in ("rbridge", "rpy2", "numpy", "pandas")}
    return {"python": platform.python_version(), **python}


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
    answer: dict[str, Any] = fitted.handle.ask("new_design", plain)
    return answer
