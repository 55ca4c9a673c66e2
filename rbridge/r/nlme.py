"""ModelSpec + pandas frame → fitted model in R, which can be asked again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from ..core.fitting.restricted import NOT_REML, restricted
from ..core.snapshot import FitSnapshot
from ..errors import (
    ConvergenceWarning,
    DataError,
    FitError,
    InformationError,
    RError,
    RWarning,
    SpecError,
    warn,
)
from ..frame.columns import Column
from ..frame.design import Design, build_design
from ..model.spec import ModelSpec
from .answer import Answer, RSession
from .locate import INSTALL_NLME
from .payload import payload
from .session import session
from .snapshot import snapshot_of
from .versions import provenance, require

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
        self.r.watch(self, number)

    @property
    def number(self) -> int:
        """The model's number in the R that now runs."""
        if self._generation != self.r.generation:
            self._hold(int(self.r.call("fit", self._model).value["id"][0]))
        return self._number

    def ask(self, name: str, *args: Any) -> Any:
        """The value that a function of the R files gives for this model."""
        return self.call(name, *args).value

    def call(self, name: str, *args: Any) -> Answer:
        """The same with R's warnings."""
        with self.r.steady:
            return self.r.call(name, self.number, *args)


class LateHandle(ModelHandle):
    """A model that R fits only when it is asked about."""

    def __init__(self, make: Callable[[], ModelHandle]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> ModelHandle:
        return self._make()

    @property
    def r(self) -> RSession:  # type: ignore[override]
        return self._made.r

    @property
    def number(self) -> int:
        return self._made.number


@dataclass(frozen=True)
class Pin:
    """A model with values for its structures, and a control under which nlme keeps them."""

    spec: ModelSpec
    control: Mapping[str, Any]


@dataclass(frozen=True)
class Fitted:
    """A model fitted in this process: its snapshot, and what is needed to ask R again."""

    snapshot: FitSnapshot
    handle: ModelHandle
    design: Design


def fit(spec: ModelSpec, data: pd.DataFrame | Design, pin: Pin | None = None) -> Fitted:
    """Fit a model with nlme; a Design is data that need no conversion any more.

    ``pin`` is the same model where nlme is not to search but to be held: R is called with it,
    and the snapshot speaks of ``spec``.

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
    model = payload(pin.spec if pin else spec, design)
    if pin:
        model["control"] = dict(pin.control)
    r = session()
    require(r, "nlme", INSTALL_NLME)
    with r.steady:
        handle, answer = _fit(r, model, design)
    back = design.names.back
    for text in answer.warnings:
        category = ConvergenceWarning if _NOT_CONVERGED.search(text) else RWarning
        warn(back(text), category)
    about = {
        "converged": not any(map(_NOT_CONVERGED.search, answer.warnings)),
        "warnings": tuple(map(back, answer.warnings)),
        "spec": spec.to_dict(),
        "provenance": {**provenance(r), "engine": "pinned" if pin else "nlme"},
    }
    snapshot = snapshot_of(answer.value["snapshot"], spec, design, about)
    if spec.kind == "lme" and spec.method == "REML" and snapshot.fixed_sigma:
        snapshot = _restricted(spec, snapshot)
        warn(NOT_REML, RWarning)
    return Fitted(snapshot, handle, design)


def _restricted(spec: ModelSpec, snapshot: FitSnapshot) -> FitSnapshot:
    """REML estimates, which nlme's are not where sigma is fixed."""
    formulas = (s.formula() for s in spec.structures() if s.kind == "varFunc")
    try:
        if any("." in formula.columns for formula in formulas if formula):
            raise InformationError("weights of fitted(.) move with the estimates")
        return restricted(snapshot)
    except InformationError as error:
        told = "nlme's estimates are no REML estimates where sigma is fixed"
        raise SpecError(f"{told}, and cannot be mended here ({error}): use method='ML'") from None


def _fit(r: RSession, model: dict[str, Any], design: Design) -> tuple[ModelHandle, Answer]:
    try:
        answer = r.call("fit", model)
    except RError as error:
        raise explained(r, error, model, design) from None
    return ModelHandle(r, int(answer.value["id"][0]), model), answer


def explained(
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
        far = [repr(name) for name, token in design.names.value.items() if _far(design, token)]
        if far:
            listed = ", ".join(far)
            message += f" — {listed} lies far from 0 for its spread: subtract its mean first"
    if error.message.startswith("contrasts can be applied only"):
        alone = [name for name, token in design.names.value.items() if _one_value(design, token)]
        message += f" — columns with a single value: {', '.join(map(repr, alone))}"
    if "function evaluation limit" in message:
        message += " — allow more evaluations: control={'msMaxEval': 1000, 'msMaxIter': 500}"
    elif _NOT_CONVERGED.search(message):
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


_FAR = 1e4  # a mean of so many standard deviations leaves few digits to X'X


def _far(design: Design, token: str) -> bool:
    column = design.columns[token]
    if column.kind == "factor" or not len(column.values):
        return False
    values = column.values.astype(float)
    return bool(abs(values.mean()) > _FAR * values.std() > 0)


def _one_value(design: Design, token: str) -> bool:
    values = design.columns[token].values
    return bool((values == values[0]).all())


def new_design_matrix(
    fitted: Fitted, columns: Mapping[str, Column], *, random: bool = True
) -> dict[str, Any]:
    """The design of new data, built by R with the fit's own bases, levels and contrasts.

    Returns
    -------
    dict
        ``X`` (n, p) and ``Z``, a list of (n, q) for the levels, outermost first; empty unless
        ``random``.

    Raises
    ------
    DataError
        What a formula makes of the new data is not finite, at no level of the fit, or depends on
        rows that are not there.
    """
    plain = {name: vars(col) for name, col in columns.items()}
    back = fitted.design.names.back
    try:
        answer = fitted.handle.call("new_design", plain, random)
    except RError as error:
        if "rbridge_data" in error.r_class:
            raise DataError(back(error.message)) from None
        message = f"R cannot build the design of the new data: {back(error.message)}"
        raise DataError(message) from None
    for text in answer.warnings:
        warn(back(text), RWarning)
    value: dict[str, Any] = answer.value
    return value
