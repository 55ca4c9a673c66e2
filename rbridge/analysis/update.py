"""A model changed in parts, R's ``update``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import SpecError
from ..model.spec import ModelSpec, gls_spec, lme_spec
from ..model.structures import Structure
from ..model.update import updated_formula
from ..options import did_you_mean

PARTS = ("random", "correlation", "weights", "method", "contrasts", "control", "na_action")


def updated(spec: ModelSpec, fixed: str | None, changes: Mapping[str, Any]) -> ModelSpec:
    """The model with other parts.

    Parameters
    ----------
    spec : ModelSpec
    fixed : str, optional
        ``". ~ . + x"``: as R's ``update.formula``; a formula without dots stands for itself.
    changes : mapping
        Of the names in :data:`PARTS`, as :func:`rbridge.lme` takes them; None takes a structure
        away. ``random`` without groups keeps those of the model where it has one grouping.

    Raises
    ------
    SpecError, FormulaError, StructureError
        Another name, random effects for a gls (or none for an lme), and as :func:`rbridge.lme`.
    """
    for name in changes:
        if name not in PARTS:
            known = ", ".join(("fixed", *PARTS, "data"))
            hint = did_you_mean(name, PARTS)
            raise SpecError(f"update has no argument {name!r}{hint} (it has {known})")
    given = {name: value for name, value in changes.items() if name != "random"}
    for name in ("contrasts", "control"):
        if name in given:
            given[name] = _mapping(name, given[name])
    if "random" in changes:
        given["random"] = _random(spec, changes["random"])
    for name in ("correlation", "weights"):
        if given.get(name) is not None:
            given[name] = getattr(gls_spec("y ~ 1", **{name: given[name]}), name)
    if fixed is not None:
        given["fixed"] = updated_formula(spec.fixed, fixed)
    return _without_idle_contrasts(replace(spec, **given), "contrasts" in given)


def _mapping(name: str, value: Any) -> dict[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise SpecError(f"{name} must be a dict, not {value!r}")
    return dict(value or {})


def _random(spec: ModelSpec, random: Any) -> tuple[tuple[str, Structure], ...]:
    if spec.kind == "gls":
        raise SpecError("a gls fit has no random effects to update: fit the model with rb.lme")
    if random is None:
        raise SpecError("random cannot be taken away: fit the model with rb.gls")
    text = isinstance(random, str) and "|" not in random and not random.lstrip().startswith("list")
    if text or isinstance(random, Structure):
        groups = list(dict.fromkeys(group for group, _ in spec.random))
        if len(groups) > 1:
            raise SpecError(f"random needs its groups: the model has {', '.join(groups)}")
        random = {groups[0]: random}
    return lme_spec("y ~ 1", random).random


def _without_idle_contrasts(spec: ModelSpec, own: bool) -> ModelSpec:
    """Inherited contrasts of columns that the model no longer has go, as in R."""
    if own:
        return spec
    kept = {name: value for name, value in spec.contrasts.items() if name in spec.columns()}
    return replace(spec, contrasts=kept)
