"""Where the checkout and the recorded answers are."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
REFERENCE = TESTS / "reference"
RECORDS = REFERENCE / "nlme"
SUITE = TESTS / "suites" / "nlme.toml"
