"""A fit found here: R builds the design, nlme fits nothing."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..core.arrays import Array, group_starts
from ..core.fitting import native
from ..core.fitting.batch import Batch, LinearBatch, together
from ..core.fitting.maximum import Maximum, maximise
from ..core.fitting.solution import solution
from ..core.fixed_effects.containment import containment_df
from ..core.parameters import theta
from ..core.pars import pars_names
from ..core.snapshot import ApVar, FitSnapshot
from ..errors import ConvergenceWarning, FitError, InformationError, SpecError, warn
from ..frame.design import Design
from ..model.formula import Call, Name, Node
from ..model.spec import ModelSpec
from ..model.structures import Structure
from ..r import nlme

STOPPED = (
    "the search here stopped before the optimum: centre and scale the predictors, or simplify the "
    "random part"
)
_SUSPECT = 1e-10  # least eigenvalue of the scaled X'X below which nlme is asked about X


@dataclass(frozen=True)
class Found:
    """A model at the maximum found here, and what is known of that maximum."""

    snapshot: FitSnapshot
    maximum: Maximum


def found_here(spec: ModelSpec, prepared: FitSnapshot, *, with_apvar: bool = True) -> Found:
    """The fit of a prepared model without nlme's search.

    Raises
    ------
    SpecError
        The variance function needs more of the fit than its fitted values or residuals.
    InformationError
        There is no likelihood to climb.
    """
    wanted = with_apvar and spec.control.get("apVar", True)
    ready = replace(prepared, apvar=_blank(spec, prepared), df=_df(prepared))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        snapshot, maximum = native.fit(ready, dict(computed(spec)), with_apvar=wanted)
    if not maximum.converged:
        snapshot = replace(snapshot, warnings=(STOPPED,))
    return Found(snapshot, maximum)


def fit_here(spec: ModelSpec, prepared: FitSnapshot, design: Design) -> FitSnapshot:
    """The same for users: R's own words where nlme would refuse, a warning where it stopped.

    Raises
    ------
    FitError
        As nlme's, where the fixed effects are singular or a group has too few rows.
    """
    if doubtful(spec, prepared):
        nlme.fit(spec, design)
    try:
        found = found_here(spec, prepared)
    except (InformationError, np.linalg.LinAlgError) as error:
        nlme.fit(spec, design)  # whose message says more
        raise FitError(f"the search here failed ({error}): use engine='nlme'") from None
    for text in found.snapshot.warnings:
        warn(text, ConvergenceWarning)
    return found.snapshot


def _blank(spec: ModelSpec, prepared: FitSnapshot) -> ApVar:
    """apVar without numbers: its names and its coding."""
    names = pars_names(prepared, [group for group, _ in spec.random])
    r = len(names)
    return ApVar(names, np.zeros(r), np.zeros((r, r)), bool(spec.control.get("natural", True)))


def _df(prepared: FitSnapshot) -> Array:
    assert prepared.terms is not None
    return containment_df(prepared, prepared.terms.assign).columns


def doubtful(spec: ModelSpec, prepared: FitSnapshot) -> bool:
    """Whether nlme may refuse what has a likelihood in floating point: it is asked then."""
    if nearly_singular(prepared.X.T @ prepared.X):
        return True
    if not prepared.levels or spec.control.get("allow.n.lt.q", False):
        return False
    inner = prepared.levels[-1]
    largest = np.diff([*group_starts(inner.codes), prepared.n]).max()
    return bool(largest < len(inner.names))


def nearly_singular(cross: Array) -> Array:
    """Of (…, p, p) X'X: whether columns of X may determine each other in floating point."""
    size = np.sqrt(np.einsum("...ii->...i", cross))
    size = np.where(size > 0, size, 1)  # a column of zeros leaves an eigenvalue of zero
    scaled = cross / (size[..., :, None] * size[..., None, :])
    return np.asarray(np.linalg.eigvalsh(scaled)[..., 0] < _SUSPECT)


def computed(spec: ModelSpec) -> Iterator[tuple[int, native.Computed]]:
    """Components of the variance function whose covariate comes from the fit, and what it is."""
    if spec.weights is None:
        return
    parts: tuple[Structure, ...] = getattr(spec.weights, "parts", (spec.weights,))
    for i, part in enumerate(parts):
        formula = part.formula()
        if formula is None or "." not in formula.columns:
            continue
        what = _of_the_fit(formula.rhs)
        if what is None:
            raise SpecError(
                f"{part.r_class}({formula.text}): only fitted(.) and resid(.) as they are can be "
                "computed here: use engine='nlme'"
            )
        yield i, what


def _of_the_fit(node: Node) -> native.Computed | None:
    if not isinstance(node, Call) or node.function not in ("fitted", "resid"):
        return None
    alone = len(node.args) == 1 and isinstance(node.args[0], Name) and node.args[0].name == "."
    return node.function if alone else None  # type: ignore[return-value]


# --- the same model for other responses -----------------------------------------------------------


@dataclass(frozen=True)
class Refits:
    """Fits of one model to k responses.

    Attributes
    ----------
    values : (k, r + p) array
        Variance components, then fixed effects.
    log_lik : (k,) array
        Exact where sigma is fixed, too.
    reasons : list of str
        Why there is no fit; empty where there is one.
    """

    values: Array
    log_lik: Array
    reasons: list[str]

    def put(self, i: int, one: Refits) -> None:
        """``one`` fit as number i."""
        self.values[i], self.log_lik[i], self.reasons[i] = (
            one.values[0],
            one.log_lik[0],
            one.reasons[0],
        )


@dataclass(frozen=True)
class NativeRefit:
    """A fitted model, to be fitted to other responses in the rows of its snapshot.

    Attributes
    ----------
    snapshot : FitSnapshot
    computed : mapping
        Components of the variance function whose covariate comes from the fit.
    """

    snapshot: FitSnapshot
    computed: Mapping[int, native.Computed]

    @classmethod
    def of(cls, snapshot: FitSnapshot) -> NativeRefit:
        return cls(snapshot, dict(computed(ModelSpec.from_dict(snapshot.spec))))

    @cached_property
    def _batch(self) -> Batch | LinearBatch | None:
        return together(self.snapshot)

    @property
    def at_once(self) -> int:
        """How many responses cost less together than alone."""
        return self._batch.at_once if self._batch else 1

    def refits(self, Y: Array) -> Refits:
        """Fits to the (k, n) responses."""
        if self._batch is None:
            return self._one_by_one(Y)
        near = theta(self.snapshot).values
        found = self._batch.fit(Y.T, near[:-1] / near[-1])
        values = np.concatenate([found.theta, found.beta], axis=1)
        refits = Refits(values, np.array(found.log_lik), [""] * len(Y))
        for i in np.flatnonzero(~found.converged):
            refits.put(i, self._one_by_one(Y[[i]]))
        return refits

    def _one_by_one(self, Y: Array) -> Refits:
        width = len(theta(self.snapshot).values) + len(self.snapshot.beta)
        refits = Refits(np.full((len(Y), width), np.nan), np.full(len(Y), np.nan), [""] * len(Y))
        for i, y in enumerate(Y):
            try:
                refits.put(i, self._refit(replace(self.snapshot, y=y)))
            except (InformationError, np.linalg.LinAlgError) as error:
                refits.reasons[i] = str(error)
        return refits

    def _refit(self, snapshot: FitSnapshot) -> Refits:
        """From the estimates of the fit, near to which those of a replicate lie."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            if self.computed:
                near = theta(snapshot).values
                snapshot, found = native.fit(snapshot, self.computed, start=near, with_apvar=False)
                beta = snapshot.beta
            else:
                found = maximise(snapshot)
                beta = solution(snapshot, found.theta).beta
        values, reason = np.concatenate([found.theta, beta]), "" if found.converged else STOPPED
        return Refits(values[None], np.array([found.log_lik]), [reason])
