"""The arrays of a snapshot: read-only, nobody else's, and shared between snapshots."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest

from rbridge.core import snapshot
from tests.support.synthetic import seed


def test_a_snapshot_of_a_snapshot_shares_its_arrays() -> None:
    fit = seed()
    other = replace(fit, sigma=2.0)
    assert other.y is fit.y and other.levels[0].Z is fit.levels[0].Z
    with pytest.raises(ValueError, match="read-only"):
        other.y[0] = 1


def test_arrays_of_others_are_copied_even_if_they_are_read_only() -> None:
    mine = seed().y + 0
    mine.flags.writeable = False
    fit = replace(seed(), y=mine)
    mine.flags.writeable = True
    before = fit.y.copy()
    mine[:] = 0
    np.testing.assert_array_equal(fit.y, before)


def test_an_array_made_writeable_is_copied() -> None:
    fit = seed()
    fit.y.flags.writeable = True
    other = replace(fit)
    assert other.y is not fit.y and not other.y.flags.writeable


def test_a_view_of_a_snapshots_array_is_copied() -> None:
    fit = seed()
    view = fit.y[:]
    assert replace(fit, y=view).y.base is None


def test_nothing_is_remembered_of_arrays_that_are_gone() -> None:
    gc.collect()
    before = len(snapshot._OWNED)
    fit = seed()
    assert len(snapshot._OWNED) > before
    del fit
    gc.collect()
    assert len(snapshot._OWNED) == before
