"""The whole qualification with a live R, as `rbridge qualify` runs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rbridge.qualify.figures import load_figures
from rbridge.qualify.record import record
from rbridge.qualify.run import qualify


@pytest.mark.grid
def test_this_machine_qualifies(lmeinfo_installed: None) -> None:
    found = qualify()
    assert [proof for proof in found.proofs if proof.verdict] == []
    assert {"R alive", "lmeInfo"} <= {p.group for p in found.proofs if p.verdict is not None}


def test_the_shipped_fits_are_made_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    figures = load_figures()
    two = replace(figures, fits={name: figures.fits[name] for name in ("rail", "splitplot")})
    monkeypatch.setattr("rbridge.qualify.record.load_figures", lambda: two)
    (tmp_path / "gone.zip").write_text("of a model that is no more")
    assert record(tmp_path) == ["rail", "splitplot"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rail.zip", "splitplot.zip"]
