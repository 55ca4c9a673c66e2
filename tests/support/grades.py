"""Which cases of a large grid ``make quick`` runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def graded(names: Iterable[str], quick: Collection[str]) -> list[Any]:
    """All names as parameters of a test; those that are not in ``quick`` are slow."""
    return [
        pytest.param(name, id=name, marks=() if name in quick else pytest.mark.slow)
        for name in names
    ]
