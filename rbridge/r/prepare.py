"""A model made ready, not fitted: the design by R, without estimates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ..core.arrays import Array
from ..core.snapshot import FitSnapshot, RandomLevel
from ..errors import RError
from ..frame.design import Design, build_design
from ..frame.names import Names
from ..model.spec import ModelSpec
from .locate import INSTALL_NLME
from .nlme import explained
from .payload import payload
from .session import session
from .snapshot import block_of, listed, snapshot_of
from .versions import provenance, require


def prepare(spec: ModelSpec, data: pd.DataFrame | Design) -> tuple[FitSnapshot, Design]:
    """The model with its data and without estimates.

    Structures hold their starting values, every D is the identity, β and the rest are zero. Raises
    as :func:`rbridge.r.nlme.fit`.
    """
    design = data if isinstance(data, Design) else build_design(spec, data)
    model = payload(spec, design, _needed(spec, design))
    r = session()
    require(r, "nlme", INSTALL_NLME)
    try:
        answer = r.call("prepare", model).value
    except RError as error:
        raise explained(r, error, model, design) from None
    parts = answer.pop("levels", ())
    answer["fitted"] = np.zeros((len(design.rows), 1))
    about = {"spec": spec.to_dict(), "provenance": {**provenance(r), "engine": "native"}}
    snapshot = snapshot_of(answer, spec, design, about)
    groups = _groups(spec, design)
    levels = tuple(_level(part, group, design.names) for part, group in zip(parts, groups))
    fitted = np.zeros((snapshot.n, 1 + len(levels)))
    return replace(snapshot, levels=levels, fitted=fitted), design


def unusable(spec: ModelSpec, design: Design) -> Array:
    """(n,) bool: the rows in which a formula makes a value that is not finite."""
    model = payload(spec, design, _needed(spec, design))
    if not model["formulas"]:
        return np.zeros(len(design.rows), dtype=bool)
    return np.asarray(session().call("unusable", model).value)


def _needed(spec: ModelSpec, design: Design) -> set[str]:
    """Group columns cross only where a correlation or a variance function needs them."""
    used = {
        group
        for structure in spec.structures()
        if structure.kind != "pdMat" and (formula := structure.formula())
        for group in formula.groups
    }
    if spec.correlation is not None:
        used |= {group for group, _ in spec.random}
    return {design.names.group[group] for group in used} | set(design.names.value.values())


def _level(part: dict[str, Any], group: Groups, names: Names) -> RandomLevel:
    effects, q = names.back_all(part["names"]), len(part["names"])
    blocks = tuple(block_of(block, names) for block in listed(part["blocks"]))
    b = np.zeros((len(group.labels), q))
    return RandomLevel(
        group.name, blocks, effects, part["Z"], group.codes, group.labels, np.eye(q), b
    )


@dataclass(frozen=True)
class Groups:
    """The groups of one level: ``codes`` (n,) into ``labels``."""

    name: str
    labels: tuple[str, ...]
    codes: Array


def _groups(spec: ModelSpec, design: Design) -> Iterator[Groups]:
    """The groups of each level, outermost first, named and labelled as nlme has them."""
    seen: dict[str, int] = {}
    begins: Array = np.zeros(len(design.rows), dtype=bool)
    labels: Array = np.empty(0, dtype=object)
    begins[0] = True
    for name, _ in spec.random:
        own = np.asarray(design.columns[design.names.group[name]].values)
        outer, before = np.cumsum(begins) - 1, bool(seen)
        begins[1:] |= own[1:] != own[:-1]
        first = np.flatnonzero(begins)
        words = np.array(design.names.labels[name], dtype=object)[own[first]]
        labels = labels[outer[first]] + "/" + words if before else words
        yield Groups(
            f"{name}.{seen[name]}" if name in seen else name, tuple(labels), np.cumsum(begins) - 1
        )
        seen[name] = seen.get(name, 0) + 1
