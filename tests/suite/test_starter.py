"""A suite to begin with, made from the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from rbridge.suite.cases import load_suite
from rbridge.suite.starter import group_candidates, starter


def test_the_starter_is_a_suite(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": np.repeat(np.arange(10), 6),
            "the time": np.tile(np.arange(6.0), 10),
            "arm": np.tile(["a", "b", None], 20),
            "score": rng.normal(size=60),
        }
    )
    frame.to_csv(tmp_path / "my data.csv", index=False)
    assert group_candidates(frame) == ["id"]
    path, text = tmp_path / "models.toml", starter("my data.csv", tmp_path)
    path.write_text(text, encoding="utf-8")
    (found,) = load_suite(path)
    assert found.category == ("id",) and found.spec.random[0][0] == "id"
    assert found.spec.fixed == "score ~ `the time`" and "20 missing" in text
