"""``rbridge fit`` end to end."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np

import rbridge as rb

COMMAND = [sys.executable, "-m", "rbridge", "fit", "machines", "--fixed", "score ~ machine"]
OPTIONS = ["--random", "~ 1 | worker/machine", "--ddf", "kenward-roger", "--anova", "III"]
OPTIONS += ["--means", "machine", "--compare", "pairwise", "--adjust", "tukey", "--format", "json"]


def test_the_command_says_what_the_package_says() -> None:
    done = subprocess.run([*COMMAND, *OPTIONS], capture_output=True, text=True, check=True)
    tables = {item["title"]: item for item in json.loads(done.stdout)["tables"]}
    fit = rb.lme("score ~ machine", rb.datasets.load("machines"), "~ 1 | worker/machine")
    frames = {
        "Fixed effects": fit.fixed_effects(),
        "Tests of terms": fit.anova(),
        "Marginal means": fit.means("machine").to_frame(),
        "Contrasts": fit.means("machine").contrasts("pairwise", "tukey"),
    }
    assert list(tables)[1:] == list(frames)
    for title, frame in frames.items():
        assert tables[title]["caption"] == frame.attrs["caption"]
        for row, (_, expected) in zip(tables[title]["rows"], frame.iterrows(), strict=True):
            numbers = list(frame.select_dtypes("number"))
            np.testing.assert_allclose(
                [row[name] for name in numbers], expected[numbers].astype(float), rtol=1e-9
            )
