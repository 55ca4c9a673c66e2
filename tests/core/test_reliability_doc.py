"""docs/bridge.md names tests that exist, and every test of the bridge."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ELSEWHERE = {"test_plain_pandas2ri_fails_these", "test_the_fit_is_rs_own_or_a_named_error"}


def test_every_row_has_its_test_and_every_test_its_row():
    text = (ROOT / "docs" / "bridge.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    files = (ROOT / "tests" / "r").glob("test_bridge_*.py")
    tests = {
        name for f in files for name in re.findall(r"^def (test_\w+)", f.read_text("utf-8"), re.M)
    }
    assert named - tests == set()
    assert tests - named - ELSEWHERE == set()
