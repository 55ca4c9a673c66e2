"""What the forest shows when nothing is asked for: no silent minutes."""

import pytest

from rbridge.analysis.intervals import forest
from rbridge.fit.components import Fit
from rbridge.many import profiles
from tests.support import designs


def test_no_profile_is_climbed_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = Fit(designs.CASES["slope"])
    monkeypatch.setattr(profiles, "Profiler", lambda *_: pytest.fail("a profile was climbed"))
    assert "profile" not in set(forest(fit, None, 0.95).method)
    with pytest.raises(pytest.fail.Exception):
        forest(fit, ["profile"], 0.95)
