"""Which cells of a large grid `make test` runs, and which are left to `make grids`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest

from rbridge.suite.cases import Case


def graded(names: Iterable[Any], some: Collection[Any]) -> list[Any]:
    """All names as parameters of a test; those that are not in ``some`` are marked ``grid``."""
    return [
        pytest.param(
            name, id=ascii(name).strip("'"), marks=() if name in some else pytest.mark.grid
        )
        for name in names
    ]


def graded_cases(cases: Iterable[Case], late: Collection[str] = ()) -> list[Any]:
    """All models of a suite; ``grid`` where a model has nothing that no model before it has.

    And those that are named in ``late``: they take seconds.
    """
    seen: set[str] = set()
    parameters = []
    for case in cases:
        new = {*structures(case), *_kind(case)}
        put_off = case.name in late or new <= seen
        seen |= set() if put_off else new
        marks = pytest.mark.grid if put_off else ()
        parameters.append(pytest.param(case, id=case.name, marks=marks))
    return parameters


def structures(case: Case) -> set[str]:
    """R's classes in a model, as a whole and in their parts."""
    spec = case.spec
    whole: list[Any] = [*(pd for _, pd in spec.random), spec.correlation, spec.weights]
    return {s.r_class for s in (*spec.structures(), *filter(None, whole))}


def _kind(case: Case) -> set[str]:
    spec = case.spec
    fixed = "sigma" if spec.control.get("sigma") else "no sigma"
    return {spec.kind, spec.method, fixed, f"{len(spec.random)} levels"}
