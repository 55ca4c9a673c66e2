"""Profiles one a task: in one process or two, told how far they are, and stopped half way."""

from __future__ import annotations

import numpy as np
import pytest

from rbridge.errors import RWarning
from tests.support import fits


def test_several_processes_give_the_same_profiles_and_tell_how_far_they_are() -> None:
    fit, seen = fits.named("slope"), []
    one = fit.profile(progress=lambda *k: seen.append(k))
    two = fit.profile(n_jobs=2, progress=False)
    n = len(one.by_name)
    assert seen == [(k, n, 0) for k in range(1, n + 1)] and list(one.by_name) == list(two.by_name)
    np.testing.assert_allclose(one.curves.value, two.curves.value, rtol=1e-6)
    told: list[tuple[int, int, int]] = []
    fit.plot_varcomp(["profile"], progress=lambda *k: told.append(k))
    assert told[-1][0] == told[-1][1] > 2


def test_an_interrupted_profile_keeps_what_is_done() -> None:
    fit = fits.named("slope")

    def stop(done: int, *_: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.warns(RWarning, match="interrupted after 2 of"):
        found = fit.profile(progress=stop)
    assert list(found.by_name) == list(fit.varcomp.index)[:2]
    with pytest.warns(RWarning, match="interrupted after 2 of"):
        table = fit.intervals(methods=["profile"], progress=stop)
    assert table.note.iloc[2] == "interrupted before it was done" and np.isnan(table.lower.iloc[2])
